#!/usr/bin/env python3
"""kubectl_standin.py - a kubectl for the tests: a cluster of two objects in a file, and a record of what was asked.

STANDIN names a folder with state.json and calls. Knows what scripts/ use, refuses the rest, and fails as the state says:
`fail` has beginnings of calls and from which time on they exit 1, `hang` lists those that never end, `slow` images whose
rollout does not end in time. `rendered` is what each overlay renders to; `answers` has the port behind each image, `through_service` where the Service leads elsewhere.
"""
import json
import os
import pathlib
import signal
import sys
import time

FOLDER = pathlib.Path(os.environ["STANDIN"])


def out(text):
    print(text, end="", flush=True)
    sys.exit(0)


def refuse(text, code=1):
    print(text, file=sys.stderr)
    sys.exit(code)


def options(argv):
    """What is asked without the options that every call has, and those: they must be there."""
    words, common = [], {}
    for a in argv:
        name, _, value = a.partition("=")
        if name in ("--namespace", "--request-timeout", "--context"):
            common[name] = value
        else:
            words.append(a)
    if common.get("--namespace") != "production":
        refuse(f"namespace is {common.get('--namespace')}")
    return words, common


def chosen(state, target):
    """The Deployment whose pods are behind service/NAME or deployment/NAME."""
    kind, name = target.split("/")
    if kind == "service":
        colour = state["selector"].get("version")
        name = f"opitios-alpaca-{colour or 'production'}"
    return state["deployments"].get(name) or refuse(f'Error from server (NotFound): {kind} "{name}" not found')


def get(state, words):
    target, path = words[1], words[-1].removeprefix("jsonpath=")
    if target == "deployments":
        out("".join(f"{n} {d['replicas']} {d['image']}\n" for n, d in state["deployments"].items()))
    if target.startswith("service/"):
        out(state["selector"].get("version", ""))
    if target == "replicasets":
        ready = {n: d.get("ready", {str(d["revision"]): d["replicas"]}) for n, d in state["deployments"].items()}
        out("".join(f"{count or ''} {revision} {n} {d['history'][revision]}\n" for n, d in state["deployments"].items()
                    for revision, count in ready[n].items()))
    d = chosen(state, target)
    if "readyReplicas" in path:
        out(d.get("standing", d["replicas"]))
    if "updatedReplicas" in path:
        counts = [d["revision"], d["revision"], d["replicas"], *d.get("counts", [d["replicas"]] * 3)]
        out(" ".join(map(str, [d["image"], *counts])))
    fields = {"image": d["image"], "revision}": str(d["revision"]), "replicas}": str(d["replicas"])}
    out(next(v for k, v in fields.items() if k in path))


def change(state, words):
    if words[0] == "patch":
        test, replace = json.loads(words[3].removeprefix("--patch="))
        if state["selector"]["version"] != test["value"]:
            refuse("the server rejected our request due to an error in our request")
        state["selector"]["version"] = replace["value"]
        return
    d = chosen(state, words[2] if words[0] in ("set", "rollout") else words[1])
    if words[0] == "scale":
        d["replicas"] = int(words[2].removeprefix("--replicas="))
        return
    if words[0] == "set":
        image = words[3].removeprefix("opitios-alpaca=")
    else:
        image = d["history"][words[3].removeprefix("--to-revision=")]
    d["revision"] += 1
    d["image"] = d["history"][str(d["revision"])] = image


def rollout_status(state, words):
    d = chosen(state, words[2])
    if d["image"] in state.get("slow", []):
        refuse("error: timed out waiting for the condition")
    out("deployment successfully rolled out\n")


def port_forward(state, words):
    image = chosen(state, words[2])["image"]
    if words[3] != ":8081" or words[1] != "--address=127.0.0.1":
        refuse(f"port-forward {words}")
    port = state["answers"][image]
    if words[2].startswith("service/"):
        port = state.get("through_service", {}).get(image, port)
    print(f"Forwarding from 127.0.0.1:{port} -> 8081", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    time.sleep(60)


def main():
    if sys.argv[1] == "kustomize":
        out(json.loads((FOLDER / "state.json").read_text())["rendered"])
    words, _ = options(sys.argv[1:])
    line = " ".join(words)
    with open(FOLDER / "calls", "a") as f:
        f.write(line + "\n")
    state = json.loads((FOLDER / "state.json").read_text())
    if any(line.startswith(h) for h in state.get("hang", [])):
        time.sleep(60)
    calls = (FOLDER / "calls").read_text().splitlines()
    if any(line.startswith(h) and sum(c.startswith(h) for c in calls) >= n for h, n in state.get("fail", {}).items()):
        refuse("Error from server (InternalError): no")
    if words[0] == "get":
        get(state, words)
    elif words[:2] == ["rollout", "status"]:
        rollout_status(state, words)
    elif words[:2] == ["apply", "-k"]:
        (FOLDER / "applied").write_text((pathlib.Path(words[2]) / "kustomization.yaml").read_text())
    elif words[:2] == ["diff", "-k"]:
        refuse("-  replicas: 5", 1)
    elif words[0] == "port-forward":
        port_forward(state, words)
    elif words[0] in ("patch", "scale") or words[:2] in (["set", "image"], ["rollout", "undo"]):
        change(state, words)
        (FOLDER / "state.json").write_text(json.dumps(state))
    else:
        refuse(f"the stand-in does not know: {line}", 64)


main()
