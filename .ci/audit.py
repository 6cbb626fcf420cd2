"""Fail where a pinned dependency has a known vulnerability: `python .ci/audit.py PIP_AUDIT`.

PIP_AUDIT is the command of pip-audit, which asks the package index for advisories. An index that
serves none is not proof that there are none: then it is said in so many words.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"

with tempfile.TemporaryDirectory() as folder:
    report = Path(folder) / "report.json"
    arguments = ["--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip"]
    arguments += ["--format", "json", "--output", str(report), "--progress-spinner", "off"]
    done = subprocess.run([sys.argv[1], *arguments], capture_output=True, text=True)
    if not report.exists():
        sys.exit(f"NOT AUDITED: pip-audit gave no report\n{done.stderr}")
    found = json.loads(report.read_bytes())["dependencies"]

audited = [each for each in found if "skip_reason" not in each]
vulnerable = [each for each in audited if each["vulns"]]
for each in vulnerable:
    for advisory in each["vulns"]:
        fixed = ", ".join(advisory["fix_versions"]) or "no version"
        print(f"{each['name']} {each['version']}: {advisory['id']}, mended in {fixed}")
if len(audited) < len(found):
    missing = len(found) - len(audited)
    print(f"NOT AUDITED: {missing} of {len(found)} packages, of which the index has no advisories")
print(f"{len(audited)} packages audited, {len(vulnerable)} vulnerable")
sys.exit(bool(vulnerable))
