"""The base of MONAI Label's endpoint tests, for a server in a process of its own.

Their own base starts the Python server inside the test; this one sends the same calls over HTTP to
$SERVED_URL, whose studies folder is $SERVED_STUDIES.
"""
import os
import random
import unittest

import requests


class HttpClient:
    def __init__(self, url):
        self.url = url

    def __getattr__(self, method):
        send = getattr(requests, method)
        return lambda path, **options: send(self.url + path, timeout=300, **options)


class ServedTestSuite(unittest.TestCase):
    client = HttpClient(os.environ["SERVED_URL"])
    studies = os.environ["SERVED_STUDIES"]
    data_dir = os.path.dirname(studies)
    app_dir = data_dir
    rand_id = random.randint(0, 9999)


BasicEndpointTestSuite = ServedTestSuite
BasicEndpointV2TestSuite = ServedTestSuite
BasicEndpointV3TestSuite = ServedTestSuite
BasicEndpointV4TestSuite = ServedTestSuite
BasicBundleTestSuite = ServedTestSuite
BasicBundleV2TestSuite = ServedTestSuite
BasicDetectionBundleTestSuite = ServedTestSuite
