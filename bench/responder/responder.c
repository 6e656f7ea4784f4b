#include "responder/responder.h"

#include <getopt.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <unistd.h>
#include "common/tell.h"
#include "responder/serve.h"

struct options {
    double port, reply_bytes;
    const char *cert_out;
};

static volatile sig_atomic_t stop;

static void on_stop(int sig)
{
    (void)sig;
    stop = 1;
}

static void usage(FILE *to)
{
    fputs("usage: qkms-bench responder --cert-out FILE [options]\n"
          "  --port N         on 127.0.0.1; 0: any (0)\n"
          "  --reply-bytes N  of the JSON that answers every request, 2 to 60000 (300)\n"
          "  --cert-out FILE  where the certificate goes that clients are to trust, PEM\n",
        to);
}

static const struct option longs[] = {{"port", required_argument, NULL, 'p'},
    {"reply-bytes", required_argument, NULL, 'r'}, {"cert-out", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'}, {0}};

/* QK_E_NOT_FOUND: --help was answered. */
static qk_err parse(struct options *o, int argc, char **argv)
{
    int c;
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'h') {
            usage(stdout);
            return QK_E_NOT_FOUND;
        }
        if (c == 'p')
            QK_TRY(bench_parse_number(&o->port, "--port", optarg, 0, 65535));
        else if (c == 'r')
            QK_TRY(bench_parse_number(&o->reply_bytes, "--reply-bytes", optarg, 2, 60000));
        else if (c == 'c')
            o->cert_out = optarg;
        else
            return QK_E_MALFORMED;
    }
    if (optind == argc && o->cert_out) return QK_OK;
    bench_error("give --cert-out, and no argument without an option");
    return QK_E_MALFORMED;
}

static qk_err write_cert(const char *path, X509 *cert)
{
    FILE *f = fopen(path, "we");
    bool ok = f && PEM_write_X509(f, cert) == 1;
    if (f && fclose(f) != 0) ok = false;
    if (!ok) bench_error("cannot write %s", path);
    return ok ? QK_OK : QK_E_IO;
}

static qk_err run(const struct options *o, SSL_CTX *ctx, X509 *cert)
{
    int fd;
    uint16_t port = (uint16_t)o->port;
    QK_TRY(write_cert(o->cert_out, cert));
    qk_err err = bench_serve_listen(&fd, &port);
    if (err != QK_OK) bench_error("cannot listen on 127.0.0.1:%u", port);
    QK_TRY(err);
    printf("https://127.0.0.1:%u\n", port);
    fflush(stdout);
    err = bench_serve(fd, ctx, (size_t)o->reply_bytes, &stop);
    close(fd);
    return err;
}

int bench_responder_main(int argc, char **argv)
{
    struct options o = {.reply_bytes = 300};
    SSL_CTX *ctx = NULL;
    X509 *cert = NULL;
    qk_err err = parse(&o, argc, argv);
    if (err == QK_E_NOT_FOUND) return 0;
    if (err != QK_OK) {
        fputs("qkms-bench responder --help lists the options\n", stderr);
        return 2;
    }
    signal(SIGINT, on_stop);
    signal(SIGTERM, on_stop);
    err = bench_serve_tls(&ctx, &cert);
    if (err == QK_OK) err = run(&o, ctx, cert);
    X509_free(cert);
    SSL_CTX_free(ctx);
    return err == QK_OK ? 0 : 1;
}
