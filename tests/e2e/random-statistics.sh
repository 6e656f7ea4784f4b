#!/bin/bash
# G-11: 1 MiB of GenerateRandom passes the tests that FIPS 140-2 had for a generator; they catch a dead or
# stuttering one, as the same tests over spoilt bytes show.
source "$(dirname "$0")/setup.bash"
cluster
py random_statistics.py
