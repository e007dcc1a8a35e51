"""The child process in which the embedded model runs. Run as a script, on its own: it imports nothing of ours.

    python -I child.py PARENT_PID llama-server ARGUMENTS…    becomes that program
    python -I child.py PARENT_PID xllamacpp OPTIONS_AS_JSON  serves in this process

Either way it ends with its parent, however that ends. The key that clients must send comes in the environment as
LLAMA_API_KEY, where no process list shows it.
"""

import ctypes
import json
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def main(parent: int, program: str, arguments: list[str]) -> None:
    """Tie this process to `parent`, then become or run the server."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent ended before its child had begun")
    if program == "xllamacpp":
        _serve(json.loads(arguments[0]))
    else:
        os.execv(program, [program, *arguments])  # noqa: S606  # the owner's own program, found by program.py


def _serve(options: dict[str, int | str]) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options["model"]
    params.hostnames = ["127.0.0.1"]
    params.port = options["port"]
    params.api_keys = [os.environ["LLAMA_API_KEY"]]
    params.n_ctx = options["context"]
    params.n_parallel = options["slots"]
    params.cache_ram_mib = options["prompt_cache_mib"]
    params.cpuparams.n_threads = options["threads"]
    params.cpuparams_batch.n_threads = options["threads"]
    # Threads that spin while they wait lose their core to other programs: on a busy machine 10 tokens/s instead of 26.
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    if options["thinks"]:  # thinking is switched off by the chat template, or else ended at once
        params.enable_reasoning = 0
        params.default_template_kwargs = {"enable_thinking": "false"}
        params.sampling.reasoning_budget_tokens = 0
    params.ui = False
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        sys.exit(str(error))  # llama.cpp has just printed the cause; a traceback would hide it
    print(f"listening on {server.listening_address}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
