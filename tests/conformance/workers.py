"""Two workers of a process group, as Ray Train starts them, without Ray."""

import multiprocessing
import socket
import traceback
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

from trainables.training.world import World


def together(work: Callable[..., Any], *arguments: Any, seconds: float = 600) -> list[Any]:
    """What ``work(world, *given)`` returns on each of two workers, which are processes of their own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lightly.loss", "trainables.training.trial", "tests.trainables.small"])
    out = context.Queue()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    workers = [context.Process(target=_work, args=(rank, port, out, work, arguments)) for rank in range(2)]
    for worker in workers:
        worker.start()
    results = {}
    try:
        for _ in workers:
            rank, failure, result = out.get(timeout=seconds)
            assert failure is None, f"worker {rank}: {failure}"
            results[rank] = result
    finally:
        for worker in workers:
            worker.join(timeout=5)
            worker.kill()
    return [results[rank] for rank in range(2)]


def _work(rank: int, port: int, out: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    try:
        out.put((rank, None, work(World(rank=rank, size=2), *arguments)))
    except Exception:
        out.put((rank, traceback.format_exc(), None))
        raise
    dist.destroy_process_group()
