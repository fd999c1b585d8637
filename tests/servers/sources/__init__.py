"""The helper servers, each started as its own process in its own language: never imported."""
