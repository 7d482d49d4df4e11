/* baseline: the minimum of work that a server has to do for one task on this kernel.
 *
 * One thread, one epoll set, and per task one pipe, one posix_spawn and one pidfd. It does only what every server has
 * to do, and nothing that costs time outside the kernel (a JSON library, timeouts, limits, policy). The difference
 * between this program and another server is that server's own overhead.
 *
 * Happy path only: a request arrives whole in one read, a client waits for its result before it sends the next, a
 * half-closed client counts as disconnected, a command's only escapes are \" and \\, and output past 64 KiB is dropped.
 *
 *     cc -O2 baseline.c -o baseline && ./baseline PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_MAX = 8192, OUTPUT_MAX = 65536, ARGS_MAX = 64, ESCAPED_MAX = 6 /* \u001f */ };

extern char **environ;
struct client;

/* An epoll event source: its descriptor, and the callback for readability. */
struct source {
  void (*ready)(struct client *);
  int fd;
  struct client *owner;
};

struct client {
  struct source socket, pipe, process;
  bool writing, running; /* the task's pipe is open; its process has not been reaped */
  bool gone;             /* the peer has closed: no result is sent */
  pid_t pid;
  int status;
  struct timespec executed_at, started; /* wall clock and monotonic */
  size_t output_size;
  char command[REQUEST_MAX], output[OUTPUT_MAX]; /* command: the array as it was sent, for the echo */
};

static int poller, null_fd;
static posix_spawnattr_t new_session;

static void watch(struct source *source, int fd, struct client *owner, void (*ready)(struct client *)) {
  *source = (struct source){ready, fd, owner};
  struct epoll_event event = {EPOLLIN, {.ptr = source}};
  epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

/* Removed explicitly before it is closed: a child between vfork and the end of exec still has a copy of the descriptor,
   and epoll reports a closed descriptor as long as a copy exists. */
static void unwatch(struct source *source) {
  epoll_ctl(poller, EPOLL_CTL_DEL, source->fd, NULL);
  close(source->fd);
}

static char *escape(char *to, const char *text, size_t size) {
  for (const char *end = text + size; text < end; text++) {
    unsigned char byte = (unsigned char)*text;
    if (byte == '"' || byte == '\\') *to++ = '\\';
    if (byte < 0x20) to += sprintf(to, "\\u%04x", byte);
    else *to++ = (char)byte;
  }
  return to;
}

static void answer(struct client *client) {
  static char line[REQUEST_MAX + OUTPUT_MAX * ESCAPED_MAX + 256];
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  double ms = (double)(now.tv_sec - client->started.tv_sec) * 1e3;
  ms += (double)(now.tv_nsec - client->started.tv_nsec) / 1e6;
  int code = WIFEXITED(client->status) ? WEXITSTATUS(client->status) : 128 + WTERMSIG(client->status);
  char *end = line;
  end += sprintf(end, "{\"command\":%s,\"executed_at\":%lld,", client->command, (long long)client->executed_at.tv_sec);
  end += sprintf(end, "\"duration_ms\":%.3f,\"exit_code\":%d,\"output\":\"", ms, code);
  end = escape(end, client->output, client->output_size);
  end = stpcpy(end, "\",\"error\":\"\"}\n");
  /* Not write: SIGPIPE would terminate this process, and every task would inherit an ignored SIGPIPE. */
  send(client->socket.fd, line, (size_t)(end - line), MSG_NOSIGNAL);
}

/* End-of-file and exit occur in either order; the result needs both. */
static void part_ended(struct client *client) {
  if (client->writing || client->running) return;
  if (client->gone) free(client);
  else answer(client);
}

static void pipe_ready(struct client *client) {
  static char overflow[OUTPUT_MAX];
  size_t room = OUTPUT_MAX - client->output_size;
  char *to = room ? client->output + client->output_size : overflow;
  ssize_t count = read(client->pipe.fd, to, room ? room : OUTPUT_MAX);
  if (count > 0 && room) client->output_size += (size_t)count;
  if (count > 0) return;
  unwatch(&client->pipe);
  client->writing = false;
  part_ended(client);
}

static void process_ready(struct client *client) {
  wait4(client->pid, &client->status, 0, NULL);
  unwatch(&client->process);
  client->running = false;
  part_ended(client);
}

/* Store pointers to the command's strings in argv, their text in words, and the text of the array in echo. */
static void parse(const char *request, char **argv, char *words, char *echo) {
  const char *open = strchr(request, '['), *at = open + 1;
  int count = 0;
  for (; *at && *at != ']'; at++) {
    if (*at != '"' || count == ARGS_MAX) continue;
    argv[count++] = words;
    for (at++; *at && *at != '"'; at++) {
      if (*at == '\\') at++;
      *words++ = *at;
    }
    *words++ = '\0';
  }
  argv[count] = NULL;
  *(char *)mempcpy(echo, open, (size_t)(at - open + 1)) = '\0';
}

static void spawn(struct client *client, const char *request) {
  char *argv[ARGS_MAX + 1], words[REQUEST_MAX];
  int ends[2];
  posix_spawn_file_actions_t actions;
  parse(request, argv, words, client->command);
  if (pipe2(ends, O_CLOEXEC)) exit(1);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, null_fd, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, null_fd, STDERR_FILENO);
  clock_gettime(CLOCK_REALTIME, &client->executed_at);
  clock_gettime(CLOCK_MONOTONIC, &client->started);
  if (posix_spawnp(&client->pid, argv[0], &actions, &new_session, argv, environ)) exit(1);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  client->output_size = 0;
  client->writing = client->running = true;
  watch(&client->pipe, ends[0], client, pipe_ready);
  watch(&client->process, (int)syscall(SYS_pidfd_open, client->pid, 0), client, process_ready);
}

static void socket_ready(struct client *client) {
  char request[REQUEST_MAX];
  ssize_t count = read(client->socket.fd, request, sizeof request - 1);
  if (count > 0) {
    request[count] = '\0';
    return spawn(client, request);
  }
  unwatch(&client->socket);
  client->gone = true;
  if (client->running) kill(-client->pid, SIGKILL);
  part_ended(client);
}

/* Accept all pending connections, not one per wake-up: the last of a burst would wait for the tasks of the first. */
static void listener_ready(struct client *listener) {
  for (int fd, on = 1; (fd = accept4(listener->socket.fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct client *client = calloc(1, sizeof *client);
    watch(&client->socket, fd, client, socket_ready);
  }
}

int main(int argc, char **argv) {
  static struct client listener; /* of its fields only the socket is used */
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons((in_port_t)(argc > 1 ? atoi(argv[1]) : 0));
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, SOMAXCONN)) return 1;
  poller = epoll_create1(EPOLL_CLOEXEC);
  null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  posix_spawnattr_init(&new_session);
  posix_spawnattr_setflags(&new_session, POSIX_SPAWN_SETSID);
  watch(&listener.socket, fd, &listener, listener_ready);
  for (struct epoll_event events[64];;) {
    int count = epoll_wait(poller, events, 64, -1);
    for (int i = 0; i < count; i++) {
      struct source *source = events[i].data.ptr;
      source->ready(source->owner);
    }
  }
}
