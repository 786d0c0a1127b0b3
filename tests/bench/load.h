/* What the files of the load generator share: the connection, the running totals, the modes. */
#ifndef LOAD_H
#define LOAD_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_ERRORS 1000 /* ends a run: a server that is gone must not make it spin */

struct conn {
    int fd;             /* -1: closed */
    uint32_t watched;   /* the epoll events asked for */
    uint64_t began;     /* ns: when the operation under way began */
    uint64_t sequence;  /* makes each message differ from the one before */
    uint64_t sent, got; /* bytes: of the operation under way, in tcp-bulk of the connection */
    char *out, *in;     /* the message to send; what has come of the answer */
};

struct mode {
    const char *name;
    void (*prepare)(void);                    /* may be NULL */
    void (*open)(struct conn *);              /* connects and begins the first operation */
    void (*ready)(struct conn *, uint32_t);   /* epoll says something happened */
    void (*tick)(struct conn *, uint64_t now); /* every 20 ms; may be NULL */
    void (*finish)(struct conn *);            /* time is up: begin nothing new; may be NULL */
};

extern const struct mode TCP_FRESH, TCP_KEPT, HTTP_GET, HTTP_POST, TCP_BULK, UDP;

/* What was asked for, and what came of it. `stopping`: time is up, answers under way are awaited but not counted. */
extern struct plan { const char *host; int port, concurrency; double seconds; size_t size; } plan;
extern struct total { uint64_t operations, bytes, errors, lost; const char *first_error; } total;
extern int stopping;
extern volatile sig_atomic_t interrupted; /* by SIGTERM or SIGINT */

uint64_t now_ns(void);
int open_socket(int type, int spread, int blocking); /* connected (or connecting); -1 and an error counted */
void watch(struct conn *, uint32_t events);
void drop(struct conn *);                            /* closes; the connection leaves the run */
void count_answer(struct conn *, uint64_t bytes);    /* one operation done, with its latency */
void count_error(const char *sentence);
const char *errno_text(void);
double run_idle(void);                               /* tcp-idle has no operations: a run of its own; seconds */

#endif
