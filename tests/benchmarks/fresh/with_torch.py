"""Run a member by torch: with_torch.py MEMBER_DIR IMAGES.npz -> right answers."""

import sys
from pathlib import Path

import numpy as np
import torch

folder, data = Path(sys.argv[1]), np.load(sys.argv[2])
model = torch.export.load(folder / "model.pt2").module()
with torch.no_grad():
    scores = torch.cat([model(part) for part in torch.from_numpy(data["image"]).split(256)])
print(int((scores.argmax(1).numpy() == data["label"]).sum()))
