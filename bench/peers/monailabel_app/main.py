"""An app for a MONAI Label server that does what `voxloom serve` does in the benches.

One strategy per unlabelled image, and a model that computes for a given time without a network and
answers with an empty mask: what is compared is the servers, not their networks. Started with

    monailabel start_server --app bench/peers/monailabel_app --studies DIR --port P --conf seconds 3
"""
import os
import tempfile
import time

import numpy as np
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.tasks.activelearning.first import First
from monailabel.tasks.activelearning.random import Random


class OneImage(Strategy):
    def __init__(self, image):
        super().__init__(f"Get {image}")
        self.image = image

    def __call__(self, request, datastore):
        return {"id": self.image}


class Busy(InferTask):
    """Multiplies matrices for `seconds`, as a network would."""

    def __init__(self, seconds):
        super().__init__(type=InferType.DEEPEDIT, labels={"background": 0, "object": 1}, dimension=3,
                         description="Computes for a while")
        self.seconds = seconds

    def is_valid(self):
        return True

    def __call__(self, request):
        import SimpleITK

        image = SimpleITK.ReadImage(request["image"])
        end = time.monotonic() + self.seconds
        a = np.random.rand(512, 512).astype(np.float32)
        while time.monotonic() < end:
            a = a @ a
            a /= np.abs(a).max()
        mask = SimpleITK.Image(image.GetSize(), SimpleITK.sitkUInt8)
        mask.CopyInformation(image)
        handle, path = tempfile.mkstemp(suffix=request.get("result_extension", ".nrrd"))
        os.close(handle)
        SimpleITK.WriteImage(mask, path)
        return path, {"label_names": {"object": 1}}


class BenchApp(MONAILabelApp):
    def __init__(self, app_dir, studies, conf):
        self.seconds = float(conf.get("seconds", "3"))
        super().__init__(app_dir, studies, conf, name="Bench", description="Bench", labels=["background", "object"])

    def init_infers(self):
        return {"busy": Busy(self.seconds)}

    def init_strategies(self):
        table = {"random": Random(), "first": First()}
        for i, image in enumerate(sorted(self._datastore.get_unlabeled_images())):
            table[f"img_{i:04d}"] = OneImage(image)
        return table
