/** qkms-bench: what the system costs. bench/README.md says what each figure means. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "api/api.h"
#include "common/tell.h"
#include "protocol/protocol.h"
#include "responder/responder.h"

static void usage(FILE *to)
{
    fputs("usage: qkms-bench protocol [options]   CPU, bytes and rounds of every protocol\n"
          "       qkms-bench api [options]        load on a running cluster\n"
          "       qkms-bench responder [options]  a server that does nothing, to compare with\n"
          "       qkms-bench COMMAND --help       the options of a command\n",
        to);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is an error of that call */
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "protocol") == 0) return bench_protocol_main(argc - 1, argv + 1);
    if (strcmp(command, "api") == 0) return bench_api_main(argc - 1, argv + 1);
    if (strcmp(command, "responder") == 0) return bench_responder_main(argc - 1, argv + 1);
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(command, "--version") == 0) {
        puts("qkms-bench " QKMS_VERSION);
        return 0;
    }
    if (*command) bench_error("unknown command \"%s\"", command);
    usage(stderr);
    return 2;
}
