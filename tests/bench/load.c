/* A load generator for the echo servers: one thread, epoll, no dependency, loopback only.
 *
 *   load MODE HOST PORT CONCURRENCY SECONDS SIZE
 *
 * It checks every answer, ends by itself, and prints one line of JSON. Closed loop: each connection has one operation
 * under way, so the rate is what the server sustains, and latency is what it takes at that rate.
 *
 * When time is up the answers under way are still awaited, uncounted, before the connections close: closing with an
 * answer unread would send a reset, and the next server measured would pay for the errors this one logs.
 */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DRAIN_NS 2000000000ull /* how long answers under way are awaited at the end */
#define TICK_NS 20000000ull
#define SOURCES 8

struct plan plan;
struct total total;
int stopping;
volatile sig_atomic_t interrupted;
static int epoll_fd, open_count;
static uint64_t latency[64 * 64]; /* log-linear: 32 steps to each power of two, so within 1.6 % */

static const struct mode *const MODES[] = {&TCP_FRESH, &TCP_KEPT, &TCP_BULK, &UDP, &HTTP_GET, &HTTP_POST};

uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

const char *errno_text(void) {
    return errno == EPIPE ? "the server closed the connection" : strerror(errno);
}

void count_error(const char *sentence) {
    if (!total.errors++) total.first_error = strdup(sentence);
}

/* Fresh connections end in TIME_WAIT on this side, which closes first; 28,000 ports last three seconds. A reset on
 * close (SO_LINGER 0) would spare the ports, but the server would see ECONNRESET in place of an end of stream and do
 * other work than it does for its users. So the connections close as a client's do and are spread over eight source
 * addresses of 127.0.0.0/8; TIME_WAIT costs the server nothing, and on loopback the kernel reuses such a port after a
 * second (net.ipv4.tcp_tw_reuse = 2, the default). */
static int bind_source(int fd) {
    static unsigned turn;
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010001u + turn++ % SOURCES)};
    int one = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return bind(fd, (struct sockaddr *)&source, sizeof source);
}

int open_socket(int type, int spread, int blocking) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)plan.port)};
    struct timeval limit = {.tv_sec = 5};
    int one = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);
    inet_pton(AF_INET, plan.host, &server.sin_addr);
    if (fd >= 0 && blocking) {
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    if (fd >= 0 && type == SOCK_STREAM && !spread) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fd < 0 || (spread && bind_source(fd)) ||
        (connect(fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS)) {
        count_error(errno_text());
        if (fd >= 0) close(fd);
        return -1;
    }
    return fd;
}

void watch(struct conn *c, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (c->watched == events) return;
    epoll_ctl(epoll_fd, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event);
    if (!c->watched) open_count++;
    c->watched = events;
}

void drop(struct conn *c) {
    if (c->fd >= 0) close(c->fd);
    if (c->watched) open_count--;
    c->fd = -1;
    c->watched = 0;
}

void count_answer(struct conn *c, uint64_t bytes) {
    uint64_t ns = now_ns() - c->began;
    unsigned power = ns < 64 ? 0 : 58 - (unsigned)__builtin_clzll(ns); /* ns >> power lies in 32..63 */
    if (stopping) return;
    latency[power * 64 + (ns >> power)]++;
    total.operations++;
    total.bytes += bytes;
}

static double percentile_us(double share) { /* nearest rank */
    uint64_t count = 0, seen = 0, rank;
    for (size_t i = 0; i < 64 * 64; i++) count += latency[i];
    rank = (uint64_t)(share * (double)count + 0.999999);
    for (size_t i = 0; i < 64 * 64; i++)
        if ((seen += latency[i]) >= rank && rank) return (double)(((i % 64) * 2 + 1) << (i / 64)) / 2e3;
    return 0;
}

static double run(const struct mode *mode) {
    struct conn *conns = calloc((size_t)plan.concurrency, sizeof *conns);
    struct epoll_event events[256];
    if (mode->prepare) mode->prepare();
    for (int i = 0; i < plan.concurrency; i++) {
        conns[i] = (struct conn){.fd = -1, .sequence = (uint64_t)i << 40};
        conns[i].out = malloc(plan.size + 1024);
        conns[i].in = malloc(plan.size + 65536);
    }
    uint64_t start = now_ns(), end = start + (uint64_t)(plan.seconds * 1e9), limit = end + DRAIN_NS, ended = 0, tick = 0;
    for (int i = 0; i < plan.concurrency && total.errors < MAX_ERRORS; i++) mode->open(&conns[i]);
    while (open_count) {
        int count = epoll_wait(epoll_fd, events, 256, 20);
        for (int i = 0; i < count; i++) {
            struct conn *c = events[i].data.ptr;
            if (c->fd >= 0) mode->ready(c, events[i].events);
        }
        uint64_t now = now_ns();
        if (!stopping && (now >= end || interrupted || total.errors >= MAX_ERRORS)) {
            stopping = 1;
            ended = now;
            for (int i = 0; i < plan.concurrency; i++)
                if (mode->finish && conns[i].fd >= 0) mode->finish(&conns[i]);
        }
        if (stopping && (now >= limit || total.errors >= MAX_ERRORS)) break;
        if (!mode->tick || now < tick) continue;
        tick = now + TICK_NS;
        for (int i = 0; i < plan.concurrency; i++)
            if (conns[i].fd >= 0) mode->tick(&conns[i], now);
    }
    if (open_count && total.errors < MAX_ERRORS) count_error("an answer never came");
    return (double)((ended ? ended : now_ns()) - start) / 1e9;
}

static void interrupt(int signal_number) { (void)signal_number; interrupted = 1; }

static void raise_file_limit(void) {
    struct rlimit files;
    rlim_t wanted = (rlim_t)plan.concurrency + 32;
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur >= wanted) return;
    if (files.rlim_max < wanted) {
        fprintf(stderr, "load: %d connections need more open files than the hard limit, %lu, allows.\n",
                plan.concurrency, (unsigned long)files.rlim_max);
        exit(2);
    }
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv) {
    struct in_addr address;
    struct rusage usage;
    const struct mode *mode = NULL;
    if (argc != 7) {
        fprintf(stderr, "usage: load tcp-fresh|tcp-kept|tcp-bulk|tcp-idle|udp|http|http-post HOST PORT CONCURRENCY "
                        "SECONDS SIZE\n");
        return 2;
    }
    plan = (struct plan){argv[2], atoi(argv[3]), atoi(argv[4]), atof(argv[5]), (size_t)atol(argv[6])};
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++)
        if (!strcmp(argv[1], MODES[i]->name)) mode = MODES[i];
    if (!mode && strcmp(argv[1], "tcp-idle")) {
        fprintf(stderr, "load: there is no mode '%s'.\n", argv[1]);
        return 2;
    }
    if (inet_pton(AF_INET, plan.host, &address) != 1 || ntohl(address.s_addr) >> 24 != 127) {
        fprintf(stderr, "load: '%s' is not an address of the loopback (127.0.0.0/8); load goes nowhere else.\n", plan.host);
        return 2;
    }
    if (plan.port < 1 || plan.port > 65535 || plan.concurrency < 1 || plan.concurrency > 100000 || plan.size < 1 ||
        plan.size > 1 << 20 || !(plan.seconds > 0 && plan.seconds <= 600) || (mode == &UDP && plan.size > 65507)) {
        fprintf(stderr, "load: port 1-65535, concurrency 1-100000, seconds up to 600, size 1-1048576 (udp: 65507).\n");
        return 2;
    }
    raise_file_limit();
    struct sigaction on_end = {.sa_handler = interrupt};
    sigaction(SIGTERM, &on_end, NULL);
    sigaction(SIGINT, &on_end, NULL);
    signal(SIGPIPE, SIG_IGN);
    alarm((unsigned)plan.seconds + 60); /* whatever happens, it ends */
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    double seconds = mode ? run(mode) : run_idle();
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"mode\": \"%s\", \"operations\": %llu, \"bytes\": %llu, \"seconds\": %.4f, \"errors\": %llu, \"lost\": %llu, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu_seconds\": %.3f, \"first_error\": \"%s\"}\n",
           argv[1], (unsigned long long)total.operations, (unsigned long long)total.bytes, seconds,
           (unsigned long long)total.errors, (unsigned long long)total.lost, percentile_us(0.5), percentile_us(0.99),
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
           total.first_error ? total.first_error : "");
    return 0;
}
