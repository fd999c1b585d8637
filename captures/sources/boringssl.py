"""One request of BoringSSL through curl_cffi, in the manner of a browser: boringssl.py PORT NAME BROWSER."""

import sys

import curl_cffi

port, name, browser = sys.argv[1:]
session = curl_cffi.Session(
    impersonate=browser, verify=False, curl_options={curl_cffi.CurlOpt.RESOLVE: [f"{name}:{port}:127.0.0.1"]}
)
session.get(f"https://{name}:{port}/", timeout=5)
