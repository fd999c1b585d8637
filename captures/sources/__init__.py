"""Programs of the recordings in other languages, or for interpreters with other packages than ours."""
