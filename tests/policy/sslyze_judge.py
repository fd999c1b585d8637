"""What sslyze says of ports on loopback by its copy of Mozilla's guidelines (5.7), as JSON: port, configuration, issues.

Runs under the Python of sslyze's own virtual environment, which has nothing of ours.
"""

from __future__ import annotations

import json
import sys

from sslyze import Scanner, ServerNetworkLocation, ServerScanRequest  # type: ignore[import-not-found] # see above
from sslyze.mozilla_tls_profile import tls_config_checker as mozilla  # type: ignore[import-not-found] # as above


def main() -> None:
    """Scan all ports side by side, judge each by every configuration."""
    scanner = Scanner()
    scanner.queue_scans(
        [
            ServerScanRequest(
                server_location=ServerNetworkLocation(hostname="localhost", ip_address="127.0.0.1", port=int(port)),
                scan_commands=mozilla.SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER,
            )
            for port in sys.argv[1:]
        ]
    )
    found: dict[int, dict[str, dict[str, str]]] = {}
    for result in scanner.get_results():
        for kind in ("modern", "intermediate", "old"):
            wanted = mozilla.MozillaTlsConfiguration.get(mozilla.TlsConfigurationEnum(kind))
            issues: dict[str, str] = {}
            try:
                mozilla.check_server_against_tls_configuration(result, wanted)
            except mozilla.ServerNotCompliantWithTlsConfiguration as error:
                issues = error.issues
            found.setdefault(result.server_location.port, {})[kind] = issues
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
