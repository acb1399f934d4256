# The same jobs directly on this host, where its KVM is real; and the few that a software KVM (PVM) can run.
import json
import subprocess
import time

from l1 import Outcome, Reader

# They raise no exception, which PVM can't deliver in protected mode.
PVM_JOBS = ("guest-pic", "guest-pit", "guest-uart")


def verdict(ringshift):
    """What `ringshift doctor` says of this host's KVM."""
    said = subprocess.run([ringshift, "doctor", "--json"], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(said)["kvm"]


def choose(kvm, where, jobs):
    """The jobs that can run, and lines that say why the others can't. What can't run is never passed, and never failed."""
    if where == "host":
        chosen, why = (jobs if kvm["usable"] else []), kvm["why"]
    elif "kvm_pvm" in kvm["modules"] and kvm["probe"]:
        chosen, why = [job for job in jobs if job.name in PVM_JOBS], kvm["why"]
    else:
        chosen, why = [], kvm["why"] if "kvm_pvm" in kvm["modules"] else "this host's KVM is not PVM"
    reasons = [f"SKIP {job.name}: {why}" for job in jobs if job not in chosen]
    if not chosen and where == "host":
        reasons += [f"  probe guest {'works' if test['works'] else 'fails'}: {test['test']} {test['detail']}" for test in kvm["probe"]]
    return chosen, reasons


def run(ringshift, jobs):
    reader = Reader()
    for job in jobs:
        outcome = reader.outcomes[job.name] = Outcome(job.name)
        begun = time.monotonic()
        done = subprocess.run(job.command(ringshift, {}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        outcome.output = done.stdout.decode(errors="replace").replace("\r", "")
        outcome.status = done.returncode
        outcome.seconds = time.monotonic() - begun
    reader.done = True
    return reader
