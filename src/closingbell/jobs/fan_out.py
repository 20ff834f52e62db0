"""Many questions at once, bounded: answers in the order in which they come, and in groups worth a transaction."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

# So many questions wait for each thread, so that none idles while the caller stores.
_WAITING_PER_THREAD = 3


def fan_out(ask: Callable[[Q], A], questions: Iterable[Q], *, concurrency: int) -> Iterator[A]:
    """The answers of ``ask``, carried out by ``concurrency`` threads; what it raises is raised here."""
    waiting = iter(questions)
    answered: SimpleQueue[Future[A]] = SimpleQueue()
    with ThreadPoolExecutor(concurrency, thread_name_prefix="fetch") as pool:
        under_way: set[Future[A]] = set()

        def begin(count: int) -> None:
            for question in islice(waiting, count):
                # What a thread logs names the run that asked it.
                future = pool.submit(copy_context().run, ask, question)
                under_way.add(future)
                future.add_done_callback(answered.put)

        try:
            begin(_WAITING_PER_THREAD * concurrency)
            while under_way:
                ended = answered.get()
                under_way.discard(ended)
                begin(1)
                yield ended.result()
        finally:
            for future in under_way:
                future.cancel()


def in_chunks(
    answers: Iterable[A],
    *,
    most: int,
    age_s: float,
    weight: Callable[[A], int] = lambda _: 0,
    most_weight: int = sys.maxsize,
) -> Iterator[list[A]]:
    """Answers in groups of up to ``most`` or ``most_weight``; what is there after ``age_s`` seconds."""
    chunk: list[A] = []
    weighs, began = 0, time.monotonic()
    for answer in answers:
        chunk.append(answer)
        weighs += weight(answer)
        if len(chunk) >= most or weighs >= most_weight or time.monotonic() - began >= age_s:
            yield chunk
            chunk, weighs, began = [], 0, time.monotonic()
    if chunk:
        yield chunk
