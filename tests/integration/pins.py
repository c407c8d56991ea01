"""Pins as files, byte for byte as weir writes them."""
import hashlib

BODY = """\
# Written by weir: change it with `weir kill`, `weir unkill` and `weir unpin`, not by hand.
apiVersion: weir/v1
kind: FlagPin
metadata: {{name: {flag}}}
spec:
  environment: {environment}
{held}  seq: {seq}
  since: 2026-11-22T21:30:00Z
  by: "weir"
"""


def pin(environment, flag, as_of=None, killed=False, seq=1):
    """{path: text} of a pin; held by nothing, it was lifted."""
    held = (f'  asOf: "{as_of}"\n' if as_of else "") + ("  state: killed\n" if killed else "")
    body = BODY.format(environment=environment, flag=flag, held=held, seq=seq)
    checksum = hashlib.sha256(body.encode()).hexdigest()
    return {f"state/{environment}/flags/{flag}.yaml": f'{body}  checksum: "sha256:{checksum}"\n'}
