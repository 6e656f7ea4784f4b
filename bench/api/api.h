/** `qkms-bench api`: load on a running cluster. Options in --help and README.md. */
#ifndef BENCH_API_H
#define BENCH_API_H

/** argv[0] is the command's name. Returns the exit status: 0, 1 (no load could be made, or not one
 *  request succeeded), 2 (usage). */
int bench_api_main(int argc, char **argv);

#endif
