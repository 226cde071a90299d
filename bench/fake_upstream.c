// Fake OpenAI-compatible upstream: single-threaded epoll, HTTP/1.1 keep-alive, JSON and SSE.
//
//     fake_upstream PORT
//
// GET /__set?ttft=MS&itl=MS&n=TOKENS changes the pace of what follows; GET /__stats tells how many
// streams are open.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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
typedef struct conn {
    int fd;
    char *in;
    size_t inl, inc;
    char *out;
    size_t outl, outc, outo;
    int busy, stream, sent, ntok;
    int hidx;
    uint64_t due;
    int want_w;
    int closed;
} conn;
static int ep, tfd;
static double ttft = 0, itl = 0;
static int ntok = 16;
static uint64_t n_active;
static uint64_t now() {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static conn **heap;
static int hn, hc;
static uint64_t armed;
static void hswap(int a, int b) {
    conn *t = heap[a];
    heap[a] = heap[b];
    heap[b] = t;
    heap[a]->hidx = a;
    heap[b]->hidx = b;
}
static void up(int i) {
    while (i > 0 && heap[(i - 1) / 2]->due > heap[i]->due) {
        hswap(i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}
static void dn(int i) {
    for (;;) {
        int l = 2 * i + 1, r = l + 1, m = i;
        if (l < hn && heap[l]->due < heap[m]->due) {
            m = l;
        }
        if (r < hn && heap[r]->due < heap[m]->due) {
            m = r;
        }
        if (m == i) {
            return;
        }
        hswap(i, m);
        i = m;
    }
}
static void hadd(conn *c) {
    if (hn == hc) {
        hc = hc ? hc * 2 : 1024;
        heap = realloc(heap, hc * sizeof *heap);
    }
    heap[hn] = c;
    c->hidx = hn;
    hn++;
    up(hn - 1);
}
static void hdel(conn *c) {
    int i = c->hidx;
    if (i < 0) {
        return;
    }
    hswap(i, hn - 1);
    hn--;
    c->hidx = -1;
    if (i < hn) {
        up(i);
        dn(i);
    }
}
static void arm() {
    uint64_t d = hn ? heap[0]->due : 0;
    if (d == armed) {
        return;
    }
    armed = d;
    struct itimerspec s = {0};
    if (d) {
        s.it_value.tv_sec = d / 1000000000ull;
        s.it_value.tv_nsec = d % 1000000000ull;
    }
    timerfd_settime(tfd, TFD_TIMER_ABSTIME, &s, 0);
}
static void add(conn *c, const char *p, size_t n) {
    if (c->outo == c->outl) {
        c->outo = c->outl = 0;
    }
    if (c->outl + n > c->outc) {
        c->outc = (c->outl + n) * 2 + 256;
        c->out = realloc(c->out, c->outc);
    }
    memcpy(c->out + c->outl, p, n);
    c->outl += n;
}
static void chunk(conn *c, const char *p, size_t n) {
    char h[16];
    int k = sprintf(h, "%zx\r\n", n);
    add(c, h, k);
    add(c, p, n);
    add(c, "\r\n", 2);
}
static void kill_(conn *c) {
    if (c->closed) {
        return;
    }
    c->closed = 1;
    if (c->busy && c->stream) {
        n_active--;
    }
    hdel(c);
    epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, 0);
    close(c->fd);
}
static void wantw(conn *c, int w) {
    if (c->want_w == w) {
        return;
    }
    c->want_w = w;
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | (w ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static int flush_(conn *c) {
    while (c->outo < c->outl) {
        ssize_t k = send(c->fd, c->out + c->outo, c->outl - c->outo, MSG_NOSIGNAL);
        if (k < 0) {
            if (errno == EAGAIN) {
                wantw(c, 1);
                return 0;
            }
            kill_(c);
            return -1;
        }
        c->outo += k;
    }
    c->outo = c->outl = 0;
    wantw(c, 0);
    return 1;
}
#define ID "\"id\":\"chatcmpl-fake0123456789abcdef\",\"created\":1767225600,\"model\":\"gpt-fake\""
static const char *JSONB =
    "{" ID
    ",\"object\":\"chat.completion\",\"system_fingerprint\":\"fp_fake\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"The quick brown fox jumps over the lazy "
    "dog. The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy "
    "dog. The quick brown fox jumps over the lazy "
    "dog.\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_"
    "tokens\":230,\"completion_tokens\":40,\"total_tokens\":270,\"prompt_tokens_details\":{"
    "\"cached_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}}}";
static void process(conn *c);
static void tick(conn *c, uint64_t t) {
    if (!c->stream) {
        char h[256];
        size_t n = strlen(JSONB);
        int k = sprintf(h,
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
                        "%zu\r\nx-request-id: req_fake\r\n\r\n",
                        n);
        add(c, h, k);
        add(c, JSONB, n);
        c->busy = 0;
        if (flush_(c) >= 0) {
            process(c);
        }
        return;
    }
    for (;;) {
        if (c->sent == 0) {
            const char *h = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: "
                            "no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
            add(c, h, strlen(h));
            const char *r =
                "data: {" ID
                ",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{"
                "\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
            chunk(c, r, strlen(r));
        }
        if (c->sent < c->ntok) {
            const char *token =
                "data: {" ID ",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,"
                             "\"delta\":{\"content\":\" aaaa\"},\"finish_reason\":null}]}\n\n";
            chunk(c, token, strlen(token));
            c->sent++;
        }
        if (c->sent >= c->ntok) {
            char tb[1024];
            const char *f =
                "data: {" ID ",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,"
                             "\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
            chunk(c, f, strlen(f));
            int k =
                sprintf(tb,
                        "data: {" ID
                        ",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_"
                        "tokens\":230,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n",
                        c->ntok, c->ntok + 230);
            chunk(c, tb, k);
            chunk(c, "data: [DONE]\n\n", 14);
            add(c, "0\r\n\r\n", 5);
            c->busy = 0;
            n_active--;
            if (flush_(c) >= 0) {
                process(c);
            }
            return;
        }
        int r = flush_(c);
        if (r < 0) {
            return;
        }
        if (itl <= 0 && r == 1) {
            continue;
        }
        if (itl <= 0 && r == 0) {
            c->due = t + 1000000;
        } else {
            c->due = (c->due + (uint64_t)(itl * 1e6) > t) ? c->due + (uint64_t)(itl * 1e6)
                                                          : t + (uint64_t)(itl * 1e6);
        }
        if (r == 0 && c->due < t + 1000000) {
            c->due = t + 1000000;
        }
        hadd(c);
        return;
    }
}
static double q(const char *s, const char *k, double d) {
    char b[32];
    snprintf(b, 32, "%s=", k);
    char *p = strstr(s, b);
    return p ? atof(p + strlen(b)) : d;
}
static void simple(conn *c, const char *b) {
    char h[256];
    int k = sprintf(
        h, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n",
        strlen(b));
    add(c, h, k);
    add(c, b, strlen(b));
    flush_(c);
}
static void process(conn *c) {
    while (!c->busy && !c->closed && c->inl) {
        if (c->outl) {
            return; // still flushing
        }
        c->in[c->inl] = 0;
        char *e = strstr(c->in, "\r\n\r\n");
        if (!e) {
            return;
        }
        size_t hl = e + 4 - c->in;
        size_t bl = 0;
        int chunked = 0;
        for (char *p = c->in; p < e;) {
            char *n = strstr(p, "\r\n");
            if (!strncasecmp(p, "content-length:", 15)) {
                bl = atol(p + 15);
            } else if (!strncasecmp(p, "transfer-encoding:", 18) && strcasestr(p, "chunked") &&
                       strcasestr(p, "chunked") < n) {
                chunked = 1;
            }
            p = n + 2;
        }
        size_t total;
        if (chunked) {
            char *end = strstr(c->in + hl, "0\r\n\r\n");
            if (!end) {
                return;
            }
            total = end + 5 - c->in;
        } else {
            total = hl + bl;
            if (c->inl < total) {
                return;
            }
        }
        if (!strncmp(c->in, "GET /__set", 10)) {
            c->in[hl - 4] = 0;
            char line[512];
            snprintf(line, 512, "%.500s", c->in);
            char *s = strstr(line, " HTTP");
            if (s) {
                *s = 0;
            }
            ttft = q(line, "ttft", ttft);
            itl = q(line, "itl", itl);
            ntok = (int)q(line, "n", ntok);
            simple(c, "{\"ok\":true}");
        } else if (!strncmp(c->in, "GET /__stats", 12)) {
            char b[64];
            sprintf(b, "{\"active\":%lu}", n_active);
            simple(c, b);
        } else if (!strncmp(c->in, "GET ", 4)) {
            simple(c,
                   "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-fake\",\"object\":\"model\"}]}");
        } else {
            char sv = c->in[total];
            c->in[total] = 0;
            char *b = c->in + hl;
            char *s = strstr(b, "\"stream\":");
            c->stream = 0;
            if (s) {
                s += 9;
                while (*s == ' ') {
                    s++;
                }
                c->stream = !strncmp(s, "true", 4);
            }
            c->in[total] = sv;
            if (c->stream) {
                n_active++;
            }
            c->busy = 1;
            c->sent = 0;
            c->ntok = ntok;
            c->due = now() + (uint64_t)(ttft * 1e6);
            memmove(c->in, c->in + total, c->inl - total);
            c->inl -= total;
            if (ttft <= 0) {
                tick(c, c->due);
            } else {
                hadd(c);
            }
            continue;
        }
        if (c->closed) {
            return;
        }
        memmove(c->in, c->in + total, c->inl - total);
        c->inl -= total;
    }
}
int main(int ac, char **av) {
    signal(SIGPIPE, SIG_IGN);
    int port = ac > 1 ? atoi(av[1]) : 9100;
    int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, 4);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(ls, (void *)&a, sizeof a)) {
        perror("bind");
        return 1;
    }
    listen(ls, 4096);
    ep = epoll_create1(0);
    tfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = 0};
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
    e.data.ptr = (void *)1;
    epoll_ctl(ep, EPOLL_CTL_ADD, tfd, &e);
    struct epoll_event ev[512];
    conn **dead = malloc(sizeof(conn *) * 65536);
    int nd = 0;
    for (;;) {
        arm();
        int n = epoll_wait(ep, ev, 512, -1);
        for (int i = 0; i < n; i++) {
            void *p = ev[i].data.ptr;
            if (!p) {
                for (;;) {
                    int fd = accept4(ls, 0, 0, SOCK_NONBLOCK);
                    if (fd < 0) {
                        break;
                    }
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, 4);
                    conn *c = calloc(1, sizeof *c);
                    c->fd = fd;
                    c->hidx = -1;
                    c->inc = 8192;
                    c->in = malloc(c->inc + 1);
                    struct epoll_event x = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
                    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &x);
                }
                continue;
            }
            if (p == (void *)1) {
                uint64_t x;
                if (read(tfd, &x, 8) < 0) {
                }
                armed = 0;
                continue;
            }
            conn *c = p;
            if (c->closed) {
                continue;
            }
            if (ev[i].events & (EPOLLERR | EPOLLHUP)) {
                kill_(c);
                dead[nd++] = c;
                continue;
            }
            if (ev[i].events & EPOLLOUT) {
                int r = flush_(c);
                if (r < 0) {
                    dead[nd++] = c;
                    continue;
                }
            }
            if (ev[i].events & (EPOLLIN | EPOLLRDHUP)) {
                for (;;) {
                    if (c->inl == c->inc) {
                        c->inc *= 2;
                        c->in = realloc(c->in, c->inc + 1);
                    }
                    ssize_t k = recv(c->fd, c->in + c->inl, c->inc - c->inl, 0);
                    if (k > 0) {
                        c->inl += k;
                        if (c->inl < c->inc) {
                            break;
                        }
                        continue;
                    }
                    if (k == 0 || (errno != EAGAIN)) {
                        kill_(c);
                    }
                    break;
                }
                if (c->closed) {
                    dead[nd++] = c;
                    continue;
                }
            }
            process(c);
            if (c->closed) {
                dead[nd++] = c;
            }
        }
        uint64_t t = now();
        while (hn && heap[0]->due <= t) {
            conn *c = heap[0];
            hdel(c);
            tick(c, t);
            if (c->closed) {
                dead[nd++] = c;
            }
        }
        for (int i = 0; i < nd; i++) {
            free(dead[i]->in);
            free(dead[i]->out);
            free(dead[i]);
        }
        nd = 0;
    }
}
