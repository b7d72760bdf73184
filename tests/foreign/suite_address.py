"""Pytest plug-in: fills in the blanks that calibration_client's own test suite leaves for address and credentials.

The suite itself stays as it is installed.
"""

import os

from calibration_client.tests.common import secrets

ADDRESS = os.environ["CATALOGUE"]

secrets.BASE_API_URL = f"{ADDRESS}/api/"
secrets.CLIENT_OAUTH2_INFO.update(
    CLIENT_ID=os.environ["CLIENT_ID"],
    CLIENT_SECRET=os.environ["CLIENT_SECRET"],
    TOKEN_URL=f"{ADDRESS}/oauth/token",
    REFRESH_URL=f"{ADDRESS}/oauth/token",
    AUTH_URL=f"{ADDRESS}/oauth/authorize",
)
