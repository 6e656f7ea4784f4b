/** `qkms-bench protocol`: every protocol in one process. Options in --help and README.md. */
#ifndef BENCH_PROTOCOL_H
#define BENCH_PROTOCOL_H

/** argv[0] is the command's name. Returns the exit status: 0, 1 (a run failed), 2 (usage). */
int bench_protocol_main(int argc, char **argv);

#endif
