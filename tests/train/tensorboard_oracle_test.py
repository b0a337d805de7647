"""A run that was killed and resumed, as TensorBoard's own reader sees it.

usage: tensorboard_oracle_test.py TRAIN_CHILD
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    print("skipped: TensorBoard is not installed")
    sys.exit(77)


def main():
    child = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        killed = subprocess.run([child, run, "30"])
        assert killed.returncode == -9, killed
        subprocess.run([child, run], check=True)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]

        events = EventAccumulator(str(run), size_guidance=dict.fromkeys(
            ("scalars", "images", "histograms", "tensors"), 0))
        events.Reload()
        # Every step once, though the killed process had written some of them before.
        train = [(line["step"], line["loss"]) for line in lines if line["kind"] == "train"]
        found = [(event.step, event.value) for event in events.Scalars("train/loss")]
        assert [step for step, _ in found] == [step for step, _ in train], found
        assert all(abs(a - b) < 1e-6 for (_, a), (_, b) in zip(found, train)), found

        validations = [line["step"] for line in lines if line["kind"] == "validation"]
        tags = events.Tags()
        assert len(tags["images"]) == 1 and len(tags["histograms"]) == 6, tags
        for tag in tags["images"]:
            assert [image.step for image in events.Images(tag)] == validations
            assert events.Images(tag)[0].encoded_image_string[1:4] == b"PNG"
        for tag in tags["histograms"]:
            for event in events.Histograms(tag):
                histogram = event.histogram_value
                assert sum(histogram.bucket) == histogram.num, tag
                assert histogram.bucket_limit[-1] == histogram.max, tag
        text = events.Tensors("options")[0].tensor_proto.string_val[0].decode()
        assert "| accumulation | `2` |" in text, text
    print("ok:", len(train), "training lines,", len(validations), "validations")


main()
