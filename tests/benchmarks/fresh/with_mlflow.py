"""Run a registered member by MLflow: with_mlflow.py STORE_URI MODEL_URI IMAGES.npz -> right answers."""

import sys

import mlflow
import numpy as np

store, model, data = sys.argv[1], sys.argv[2], np.load(sys.argv[3])
mlflow.set_tracking_uri(store)
scores = mlflow.pyfunc.load_model(model).predict({"image": data["image"]})["logits"]
print(int((scores.argmax(axis=1) == data["label"]).sum()))
