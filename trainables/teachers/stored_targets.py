"""Teachers whose answers are kept on disk (TinyViT, Wu et al. 2022): each view of an image is asked for once.

An answer is found by the content of the view, so that whoever sees the same view (a rerun, another member under the
same augmentation and seed) is answered without the teacher, and a view never seen is answered by it and kept.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.stored import write_whole

FLOOR = 2.0**-25
"""Probability in place of zero: below what float16 can tell from it."""


def digest_of(network: nn.Module) -> str:
    """Twenty hexadecimal digits for a network's structure, weights and preprocessing."""
    digest = hashlib.sha256(str(network).encode())
    for module in network.modules():
        if isinstance(module, Deployable):
            cropped = f" {module.view.crop}" if module.view.crop < 1 else ""
            digest.update(f"resolution {module.resolution} {module.interpolation}{cropped}".encode())
    for name, value in (*network.named_parameters(), *network.named_buffers()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:20]


class StoredTeacher(nn.Module):
    """A teacher that remembers: scores are logarithms of its ``top_k`` largest class probabilities in float16.

    What the largest ones leave is spread evenly over the other classes. Its own class scores and the stored ones differ
    by no more than that and the rounding; a view has the same answer whether it was stored or not.

    Args:
        teacher: in evaluation mode.
        folder: of all stored targets; a folder below it is named by the teacher and ``top_k``.
        top_k: probabilities kept for an image, >= 1; all of them where there are fewer classes.
    """

    def __init__(self, teacher: nn.Module, folder: Path, *, top_k: int) -> None:
        super().__init__()
        if top_k < 1:
            raise ValueError(f"top_k is at least 1, given {top_k}")
        self.teacher, self._top_k = teacher, top_k
        self._folder = folder / f"{digest_of(teacher)}-{top_k}"
        self._shards: list[NDArray[np.void]] = []
        self._read: set[str] = set()
        self._pending: list[NDArray[np.void]] = []
        self.seen = 0  # images that the teacher itself has seen
        self._read_new()

    @torch.no_grad()
    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Scores, shape (N, classes)."""
        key_N2 = _keys(image_NCHW)
        stored_N, answer_N = self._look_up(key_N2)
        if not stored_N.all():
            missing = np.flatnonzero(~stored_N)
            fresh = self._ask(image_NCHW[torch.from_numpy(missing).to(image_NCHW.device)], key_N2[missing])
            if answer_N is None:
                answer_N = np.empty(len(key_N2), dtype=fresh.dtype)
            answer_N[missing] = fresh
            self._pending.append(fresh)
        assert answer_N is not None
        return _dense(answer_N).to(image_NCHW.device)

    def flush(self) -> None:
        """Write what is new, whole or not at all; other processes find it when they are started."""
        if not self._pending:
            return
        shard = np.concatenate(self._pending)
        shard = shard[np.unique(shard["first"], return_index=True)[1]]
        self._pending = []
        self._folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(shard.tobytes()).hexdigest()[:20]
        write_whole(self._folder / f"{name}.npy", lambda stream: np.save(stream, shard))
        self._read_new()

    def _read_new(self) -> None:
        for path in sorted(self._folder.glob("*.npy")):
            if path.name not in self._read:
                self._read.add(path.name)
                self._shards.append(np.load(path, mmap_mode="r"))

    def _look_up(self, key_N2: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.void] | None]:
        """Which keys are stored, and an array with their answers; the shard that helped last is asked first."""
        stored_N = np.zeros(len(key_N2), dtype=bool)
        answer_N = np.empty(len(key_N2), dtype=self._shards[0].dtype) if self._shards else None
        for position, shard in enumerate(self._shards):
            assert answer_N is not None
            row_N = np.searchsorted(shard["first"], key_N2[:, 0]).clip(max=len(shard) - 1)
            hit = (shard["first"][row_N] == key_N2[:, 0]) & (shard["second"][row_N] == key_N2[:, 1]) & ~stored_N
            answer_N[hit] = shard[row_N[hit]]
            stored_N |= hit
            if stored_N.all():
                self._shards.insert(0, self._shards.pop(position))
                break
        return stored_N, answer_N

    def _ask(self, image_NCHW: Tensor, key_N2: NDArray[np.uint64]) -> NDArray[np.void]:
        self.seen += len(image_NCHW)
        share_NK = self.teacher(image_NCHW).float().softmax(dim=1).cpu()
        classes = share_NK.shape[1]
        top = min(self._top_k, classes)
        largest_NK, class_NK = share_NK.topk(top, dim=1)
        index = np.uint16 if classes <= 2**16 else np.uint32
        answer_N = np.empty(
            len(key_N2),
            dtype=[
                ("first", np.uint64), ("second", np.uint64), ("classes", np.uint32),
                ("class", index, (top,)), ("share", np.float16, (top,)),
            ],
        )  # fmt: skip
        answer_N["first"], answer_N["second"], answer_N["classes"] = key_N2[:, 0], key_N2[:, 1], classes
        answer_N["class"], answer_N["share"] = class_NK.numpy(), largest_NK.numpy()
        return answer_N


def _keys(image_NCHW: Tensor) -> NDArray[np.uint64]:
    """128 bits of each image's content, shape (N, 2)."""
    rows = image_NCHW.detach().cpu().contiguous().numpy()
    keys = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
    return np.frombuffer(b"".join(keys), dtype=np.uint64).reshape(-1, 2)


def _dense(answer_N: NDArray[np.void]) -> Tensor:
    """Logarithms of all class probabilities, shape (N, classes)."""
    classes = int(answer_N["classes"][0])
    class_NK = torch.from_numpy(answer_N["class"].astype(np.int64))
    share_NK = torch.from_numpy(answer_N["share"].astype(np.float32))
    rest_N = (1 - share_NK.sum(dim=1)).clamp(min=0) / max(1, classes - share_NK.shape[1])
    dense_NC = rest_N[:, None].expand(-1, classes).scatter(1, class_NK, share_NK)
    return dense_NC.clamp(min=FLOOR).log()
