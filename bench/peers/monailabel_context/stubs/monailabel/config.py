import os


class settings:  # noqa: N801 (the name that the tests use)
    MONAI_LABEL_SESSION_PATH = os.environ["SERVED_SESSIONS"]
