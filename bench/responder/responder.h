/** `qkms-bench responder`: serve.h as a program of its own. */
#ifndef BENCH_RESPONDER_H
#define BENCH_RESPONDER_H

/** argv[0] is the command's name. Returns the exit status: 0, 1, 2 (usage). */
int bench_responder_main(int argc, char **argv);

#endif
