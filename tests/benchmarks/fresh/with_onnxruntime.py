"""Run a member by ONNX Runtime: with_onnxruntime.py MEMBER_DIR IMAGES.npz -> right answers."""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

folder, data = Path(sys.argv[1]), np.load(sys.argv[2])
session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
scores = session.run(["logits"], {"image": data["image"]})[0]
print(int((scores.argmax(axis=1) == data["label"]).sum()))
