"""Time workers in turns, A B C A B C ..., so that a slow minute affects all of them alike."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# With these settings, glibc keeps freed memory instead of returning it to the system, so that no
# step waits for new pages: 15-40 % for PyTorch.
TUNED = {"MALLOC_MMAP_THRESHOLD_": str(2 ** 32), "MALLOC_TRIM_THRESHOLD_": str(2 ** 33),
         "MALLOC_TOP_PAD_": str(2 ** 28)}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                    "MKL_NUM_THREADS")
# OpenBLAS spins for 2 ** TIMEOUT cycles, by default 2 ** 26: for 20 ms, a worker would slow down
# the next one.
WAITING = {"passive": {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0",
                       "OPENBLAS_THREAD_TIMEOUT": "18"},
           "default": {}}
# The same instruction set for our kernels, ATen, oneDNN (under both of its names) and OpenBLAS.
SIMD = {"avx2": {"CS231N_FER_SIMD": "avx2", "ATEN_CPU_CAPABILITY": "avx2",
                 "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2",
                 "OPENBLAS_CORETYPE": "Haswell"}}
PAUSE = 0.05  # seconds between two blocks, in which thread pools that spin briefly go to sleep
IDLE_LIMIT = 0.05  # share of a core that an idle worker may use


def environment(threads, tuned=False, simd=None, waiting="passive"):
    """Return the environment of a worker.

    threads   number of threads of OpenMP, Numba and every BLAS
    tuned     whether glibc's malloc gets the settings TUNED
    simd      key of SIMD, or None for no restriction
    waiting   key of WAITING: how idle OpenMP threads wait
    """
    owned = {*TUNED, *THREAD_VARIABLES, *WAITING["passive"]}
    inherited = {name: value for name, value in os.environ.items() if name not in owned}
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **inherited,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        **WAITING[waiting],
        **(TUNED if tuned else {}),
        **(SIMD[simd] if simd else {}),
        "PYTHONPATH": os.pathsep.join(path),
        # Compile in the worker itself, without helper processes that outlive the compilation.
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }


class Worker:
    """A process of worker.py; `error` says why it can't be timed, or is None."""

    def __init__(self, spec, env, limit):
        """Start the process and wait until it is ready, for at most `limit` seconds."""
        self.spec = spec
        self.blocks = []
        self.ready = {}
        self.error = None
        self.late = False
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([sys.executable, "-m", "experiments.bench.worker",
                                         json.dumps(spec)], env=env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, start_new_session=True)
        self.ready = self._answer(limit).get("ready", {})

    def _answer(self, limit):
        """Return the next answer; set `error` after `limit` seconds, or if the process has died."""
        timer = threading.Timer(limit, self._give_up)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        answer = json.loads(line) if line else {}
        if self.late:
            self.error = f"gave up after {limit:.0f} s"
        elif not line:
            self.error = f"died with exit status {self.process.wait()}"
        else:
            self.error = answer.get("error")
        return answer

    def _give_up(self):
        self.late = True
        self._kill()

    def _kill(self):
        """Kill the process and its compilers, which belong to its session."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def time_block(self, runs, limit=600):
        """Let the worker time a block of runs, and keep the answer."""
        self.process.stdin.write(f"{runs}\n")
        self.process.stdin.flush()
        answer = self._answer(limit)
        if not self.error:
            self.blocks.append(answer)

    def last_words(self):
        """Return the last 2,000 characters that the worker wrote to stderr."""
        self.log.seek(0)
        return self.log.read()[-2000:]

    def stop(self):
        """Give the process 5 seconds to end, then kill what is left of its session."""
        try:
            self.process.stdin.close()
            self.process.wait(5)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            pass
        self._kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def idle_share(self):
        """Return the share of a core that it used while the others were timed.

        The wait before the first block does not count.
        """
        waited = sum(block["idle_wall"] for block in self.blocks[1:])
        return sum(block["idle_cpu"] for block in self.blocks[1:]) / waited if waited else 0.0

    def result(self):
        """Return the spec and all measurements, as a dict for JSON."""
        return {**{key: value for key, value in self.spec.items() if key != "reference"},
                **self.ready, "error": self.error, "idle_share": self.idle_share(),
                "page_faults": (sum(block["page_faults"] for block in self.blocks)
                                / max(len(self.blocks), 1)),
                "rounds": [block["seconds"] for block in self.blocks]}


def time_in_turns(specs, *, rounds, block_seconds, limit, simd=None, waiting="passive", say=print):
    """Start a worker for every spec, one after the other, and time blocks of all of them in turns.

    specs           see peers/__init__.py; with `peer`, a module of peers, and optionally `tuned`
                    and `block_seconds`
    rounds          number of blocks per worker
    block_seconds   duration of a block; a run that takes longer is a block by itself
    limit           seconds that a worker may take to build and warm up its engine
    simd, waiting   see environment
    say             is called with a line for every worker that fails, or is busy while it should
                    wait
    Returns a list of Worker.result(), in the order of specs.
    """
    workers = []
    try:
        for spec in specs:
            worker = Worker(spec, environment(spec["threads"], spec.get("tuned", False), simd,
                                              waiting), limit)
            if worker.error:
                say(f"  {spec['label']}: {worker.error}")
                if "Error" in worker.error or "died" in worker.error:
                    say(worker.last_words())
            workers.append(worker)
        for _ in range(rounds):
            for worker in workers:
                if not worker.error:
                    seconds = worker.spec.get("block_seconds", block_seconds)
                    worker.time_block(max(1, round(seconds / worker.ready["seconds"])))
                    time.sleep(PAUSE)
        for worker in workers:
            if worker.idle_share() > IDLE_LIMIT:
                say(f"  WARNING {worker.spec['label']}: used {worker.idle_share():.0%} of a core "
                    "while it should have slept; the other times are too long")
        return [worker.result() for worker in workers]
    finally:
        for worker in workers:
            worker.stop()
