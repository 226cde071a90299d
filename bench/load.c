// Closed- or open-loop HTTP/1.1 load generator with SSE awareness; single-threaded epoll; loopback
// only.
//
//     load -p PORT -P PATH -c CONNS -d SECS -w WARMUP_SECS [-b BODYFILE] [-H "name: value"]...
//          [-R rate] [-r ramp_secs] [-1: one request per connection, then stop]
//
// Ten @ in the body are replaced by a counter, so that every request differs.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
typedef struct {
    int fd, state;
    uint64_t t0, tlast;
    char hb[8192];
    int hl, inhdr, status, chunked, cstate, first, m, close_;
    long clen, got, cleft;
    int reqs;
    size_t wo;
    uint64_t start;
    char *req;
} C;
static C *cs;
static int N = 1, port = 8000, ep, once = 0;
static char *req;
static size_t rl;
static struct sockaddr_in sa;
static uint64_t T0, Tw, Te;
static double rate = 0;
static double *lat, *tt, *gap;
static size_t nl, nt, ng, cap = 4000000;
static uint64_t errs, non200, events, bytes, done_all, reconn, evwin;
static uint64_t *q;
static size_t qh, qt, qc = 1 << 22;
static int *idle;
static int ni;
static uint64_t now() {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static void setw(C *c, int w) {
    struct epoll_event e = {.events = EPOLLIN | (w ? EPOLLOUT : 0), .data.u32 = c - cs};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void conn_(C *c) {
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, 4);
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.u32 = c - cs};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
    connect(c->fd, (void *)&sa, sizeof sa);
    c->state = 1;
    c->wo = 0;
    c->inhdr = 1;
    c->hl = 0;
}
static void wr(C *c) {
    while (c->wo < rl) {
        ssize_t k = send(c->fd, c->req + c->wo, rl - c->wo, MSG_NOSIGNAL);
        if (k < 0) {
            return;
        }
        c->wo += k;
    }
    c->state = 2;
    setw(c, 0);
}
// Each request is a conversation of its own: its counter replaces the mark.
static const char MARK[] = "@@@@@@@@@@";
static size_t mark_at;
static uint64_t sent;
static void number(C *c) {
    char d[11];
    if (!mark_at) {
        return;
    }
    snprintf(d, 11, "%010lu", sent++ % 10000000000ul);
    memcpy(c->req + mark_at, d, 10);
}
static void begin(C *c, uint64_t t) {
    number(c);
    c->t0 = t;
    c->wo = 0;
    c->inhdr = 1;
    c->hl = 0;
    c->first = 1;
    c->m = 0;
    c->got = 0;
    c->clen = -1;
    c->chunked = 0;
    c->cstate = 0;
    c->cleft = 0;
    c->status = 0;
    c->close_ = 0;
    if (c->fd < 0) {
        reconn++;
        conn_(c);
        c->t0 = t;
        return;
    }
    c->state = 1;
    ssize_t k = send(c->fd, c->req, rl, MSG_NOSIGNAL);
    if (k == (ssize_t)rl) {
        c->wo = rl;
        c->state = 2;
    } else {
        c->wo = k > 0 ? k : 0;
        setw(c, 1);
    }
}
static void next(C *c, uint64_t t) {
    c->reqs++;
    if (once) {
        c->state = 9;
        return;
    }
    if (rate > 0) {
        if (qh != qt) {
            uint64_t s = q[qh++ % qc];
            begin(c, s);
        } else {
            idle[ni++] = c - cs;
            c->state = 0;
        }
    } else {
        begin(c, t);
    }
}
static void fin(C *c, uint64_t t) {
    done_all++;
    if (t >= Tw && t <= Te) {
        if (c->status != 200) {
            non200++;
        }
        if (nl < cap) {
            lat[nl++] = (t - c->t0) / 1e6;
        }
    }
    if (c->close_) {
        close(c->fd);
        c->fd = -1;
    }
    next(c, t);
}
static void fail(C *c, uint64_t t) {
    if (t >= Tw && t <= Te) {
        errs++;
    }
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->fd = -1;
    if (t < Te) {
        if (once) {
            c->state = 9;
        } else if (rate > 0) {
            idle[ni++] = c - cs;
            c->state = 0;
        } else {
            begin(c, t);
        }
    }
}
static const char PAT[] = "data: {";
static void payload(C *c, const char *p, long n, uint64_t t) {
    bytes += n;
    for (long i = 0; i < n; i++) {
        if (p[i] == PAT[c->m]) {
            if (++c->m == 7) {
                c->m = 0;
                events++;
                if (t >= Tw && t <= Te) {
                    evwin++;
                    if (c->first) {
                        c->first = 0;
                        if (nt < cap) {
                            tt[nt++] = (t - c->t0) / 1e6;
                        }
                    } else if (ng < cap) {
                        gap[ng++] = (t - c->tlast) / 1e6;
                    }
                }
                c->first = 0;
                c->tlast = t;
            }
        } else {
            c->m = (p[i] == 'd');
        }
    }
}
static int feed(C *c, char *b, ssize_t n, uint64_t t) {
    char *p = b;
    ssize_t k = n;
    if (c->inhdr) {
        int cp = n < (ssize_t)(8190 - c->hl) ? n : 8190 - c->hl;
        memcpy(c->hb + c->hl, b, cp);
        int old = c->hl;
        c->hl += cp;
        c->hb[c->hl] = 0;
        char *e = strstr(c->hb, "\r\n\r\n");
        if (!e) {
            return 0;
        }
        c->inhdr = 0;
        int hl = e + 4 - c->hb;
        c->status = atoi(c->hb + 9);
        c->clen = -1;
        c->chunked = 0;
        for (char *x = c->hb; x < e;) {
            char *nn = strstr(x, "\r\n");
            if (!strncasecmp(x, "content-length:", 15)) {
                c->clen = atol(x + 15);
            } else if (!strncasecmp(x, "transfer-encoding: chunked", 26)) {
                c->chunked = 1;
            } else if (!strncasecmp(x, "connection: close", 17)) {
                c->close_ = 1;
            }
            x = nn + 2;
        }
        p = b + (hl - old);
        k = n - (hl - old);
        c->got = 0;
        c->cstate = 0;
        c->cleft = 0;
    }
    if (!c->chunked) {
        payload(c, p, k, t);
        c->got += k;
        if (c->clen >= 0 && c->got >= c->clen) {
            return 1;
        }
        return 0;
    }
    while (k > 0) {
        if (c->cstate == 0) {
            char ch = *p++;
            k--;
            if (ch == '\r') {
                continue;
            }
            if (ch == '\n') {
                if (c->cleft == 0) {
                    c->cstate = 3;
                } else {
                    c->cstate = 1;
                }
                continue;
            }
            int v = ch >= '0' && ch <= '9' ? ch - '0' : (ch | 32) - 'a' + 10;
            c->cleft = c->cleft * 16 + v;
        } else if (c->cstate == 1) {
            long m = k < c->cleft ? k : c->cleft;
            payload(c, p, m, t);
            p += m;
            k -= m;
            c->cleft -= m;
            if (!c->cleft) {
                c->cstate = 2;
            }
        } else if (c->cstate == 2) {
            char ch = *p++;
            k--;
            if (ch == '\n') {
                c->cstate = 0;
                c->cleft = 0;
            }
        } else {
            char ch = *p++;
            k--;
            if (ch == '\n') {
                return 1;
            }
        }
    }
    return 0;
}
static int cmp(const void *a, const void *b) {
    double x = *(double *)a, y = *(double *)b;
    return x < y ? -1 : x > y;
}
static double pc(double *a, size_t n, double p) {
    if (!n) {
        return -1;
    }
    size_t i = (size_t)(p / 100 * (n - 1) + .5);
    return a[i];
}
int main(int ac, char **av) {
    signal(SIGPIPE, SIG_IGN);
    char *path = "/", *bf = 0;
    char hd[4096] = "";
    double d = 5, w = 1, ramp = 0;
    int o;
    while ((o = getopt(ac, av, "p:P:b:H:c:d:w:R:r:1")) > 0) {
        switch (o) {
        case 'p':
            port = atoi(optarg);
            break;
        case 'P':
            path = optarg;
            break;
        case 'b':
            bf = optarg;
            break;
        case 'H':
            strcat(hd, optarg);
            strcat(hd, "\r\n");
            break;
        case 'c':
            N = atoi(optarg);
            break;
        case 'd':
            d = atof(optarg);
            break;
        case 'w':
            w = atof(optarg);
            break;
        case 'R':
            rate = atof(optarg);
            break;
        case 'r':
            ramp = atof(optarg);
            break;
        case '1':
            once = 1;
        }
    }
    char *body = 0;
    long bl = 0;
    if (bf) {
        FILE *f = fopen(bf, "r");
        fseek(f, 0, 2);
        bl = ftell(f);
        rewind(f);
        body = malloc(bl + 1);
        if (fread(body, 1, bl, f)) {
        }
        fclose(f);
    }
    req = malloc(bl + 8192);
    rl = sprintf(req, "%s %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\naccept: */*\r\n%s",
                 body ? "POST" : "GET", path, port, hd);
    if (body) {
        rl +=
            sprintf(req + rl, "content-type: application/json\r\ncontent-length: %ld\r\n\r\n", bl);
    } else {
        rl += sprintf(req + rl, "\r\n");
    }
    if (body) {
        memcpy(req + rl, body, bl);
        rl += bl;
    }
    sa = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    lat = malloc(cap * 8);
    tt = malloc(cap * 8);
    gap = malloc(cap * 8);
    q = malloc(qc * 8);
    idle = malloc(sizeof(int) * (N * 4 + 16));
    cs = calloc(N, sizeof(C));
    ep = epoll_create1(0);
    T0 = now();
    Tw = T0 + (uint64_t)(w * 1e9);
    Te = Tw + (uint64_t)(d * 1e9);
    char *mark = memmem(req, rl, MARK, 10);
    mark_at = mark ? (size_t)(mark - req) : 0;
    sent = T0 / 1000 % 1000000000 * 10;
    for (int i = 0; i < N; i++) {
        cs[i].fd = -1;
        cs[i].req = malloc(rl);
        memcpy(cs[i].req, req, rl);
        cs[i].start = T0 + (uint64_t)(ramp * 1e9 * i / N);
    }
    int started = 0;
    uint64_t nextarr = T0;
    double iv = rate > 0 ? 1e9 / rate : 0;
    int tfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (rate > 0) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = 0xffffffff};
        epoll_ctl(ep, EPOLL_CTL_ADD, tfd, &e);
        for (int i = N - 1; i >= 0; i--) {
            idle[ni++] = i;
        }
        started = N;
    }
    static char buf[1 << 18];
    struct epoll_event ev[1024];
    uint64_t lastarm = 0;
    for (;;) {
        uint64_t t = now();
        if (t >= Te) {
            break;
        }
        while (started < N && cs[started].start <= t) {
            C *c = &cs[started++];
            reconn--;
            begin(c, t);
        }
        if (once && started == N) {
            int live = 0;
            for (int i = 0; i < N; i++) {
                if (cs[i].state != 9) {
                    live = 1;
                }
            }
            if (!live) {
                Te = t;
                break;
            }
        }
        if (rate > 0) {
            while (nextarr <= t) {
                if (ni > 0) {
                    C *c = &cs[idle[--ni]];
                    begin(c, nextarr);
                } else {
                    q[qt++ % qc] = nextarr;
                }
                nextarr += (uint64_t)iv;
            }
            if (nextarr != lastarm) {
                lastarm = nextarr;
                struct itimerspec s = {0};
                s.it_value.tv_sec = nextarr / 1000000000ull;
                s.it_value.tv_nsec = nextarr % 1000000000ull;
                timerfd_settime(tfd, TFD_TIMER_ABSTIME, &s, 0);
            }
        }
        int to = started < N ? 1 : 50;
        int n = epoll_wait(ep, ev, 1024, to);
        t = now();
        for (int i = 0; i < n; i++) {
            if (ev[i].data.u32 == 0xffffffff) {
                uint64_t x;
                if (read(tfd, &x, 8) < 0) {
                }
                lastarm = 0;
                continue;
            }
            C *c = &cs[ev[i].data.u32];
            if (c->fd < 0) {
                continue;
            }
            if (ev[i].events & EPOLLOUT) {
                if (c->state == 1) {
                    wr(c);
                }
            }
            if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                ssize_t k = recv(c->fd, buf, sizeof buf, 0);
                if (k <= 0) {
                    if (k < 0 && errno == EAGAIN) {
                        continue;
                    }
                    if (c->state == 2 && !c->inhdr && !c->chunked && c->clen < 0) {
                        c->close_ = 1;
                        fin(c, t);
                    } else if (c->state == 0 || c->state == 9) {
                        close(c->fd);
                        c->fd = -1;
                    } else {
                        fail(c, t);
                    }
                    continue;
                }
                if (feed(c, buf, k, t) == 1) {
                    fin(c, t);
                }
            }
        }
    }
    double el = (Te - Tw) / 1e9;
    qsort(lat, nl, 8, cmp);
    qsort(tt, nt, 8, cmp);
    qsort(gap, ng, 8, cmp);
    double s = 0;
    for (size_t i = 0; i < nl; i++) {
        s += lat[i];
    }
    int open = 0;
    for (int i = 0; i < N; i++) {
        if (cs[i].state == 2) {
            open++;
        }
    }
    printf("{\"rps\":%.1f,\"n\":%zu,\"mean\":%.4f,\"p50\":%.4f,\"p90\":%.4f,\"p99\":%.4f,\"p999\":%"
           ".4f,\"max\":%.4f,\"ttft50\":%.4f,\"ttft90\":%.4f,\"ttft99\":%.4f,\"gap50\":%.4f,"
           "\"gap99\":%.4f,\"gapmax\":%.4f,\"ev_s\":%.1f,\"errs\":%lu,\"non200\":%lu,\"reconn\":%"
           "lu,\"open_end\":%d,\"total\":%lu,\"backlog\":%zu}\n",
           nl / el, nl, nl ? s / nl : -1, pc(lat, nl, 50), pc(lat, nl, 90), pc(lat, nl, 99),
           pc(lat, nl, 99.9), nl ? lat[nl - 1] : -1, pc(tt, nt, 50), pc(tt, nt, 90), pc(tt, nt, 99),
           pc(gap, ng, 50), pc(gap, ng, 99), ng ? gap[ng - 1] : -1, evwin / el, errs, non200,
           reconn, open, done_all, qt - qh);
}
