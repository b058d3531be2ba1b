// SPDX-License-Identifier: BSD-3-Clause
/* The socket between an agent and a device: who may connect, what is no message, who goes first. */
#include "vdg_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "core/vdg_wire.h"

static int setup(void **state)
{
	*state = device_new(1, 0);
	return 0;
}

static int teardown(void **state)
{
	device_free(*state);
	return 0;
}

static int open_at(const char *path, struct vt_err *err)
{
	const struct datapath_config config = {.node = "a", .arg = path};
	struct datapath *dp = NULL;
	int ret = datapath_vfd_driver.open(&dp, &config, err);

	if (!ret)
		dp->ops->close(dp);
	return ret;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	return addr;
}

/* A name that no other run of this test has. */
static struct sockaddr_un address_new(const char *what)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/vdg-test-%d-%s.sock", (int)getpid(), what);
	unlink(addr.sun_path);
	return addr;
}

static int raw_connect(const struct device *d)
{
	struct sockaddr_un addr = address_of(d->path);
	struct timeval limit = {.tv_sec = 20};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void raw_send(int fd, const void *bytes, size_t size)
{
	assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

static void raw_message(int fd, enum vdg_wire_type type, const void *body, size_t len)
{
	struct vt_buf buf = {0};

	vdg_wire_put(&buf, type, 1, body, len);
	raw_send(fd, buf.data, buf.len);
	vt_buf_done(&buf);
}

static void raw_hello(int fd)
{
	raw_message(fd, VDG_WIRE_HELLO, "VDG1\1", 6);
}

/* What the device says at last before it hangs up: one FAIL of the connection. */
static void check_refused(int fd, int code, const char *words)
{
	static uint8_t in[65536];
	struct vdg_message message = {0}, last = {0};
	struct vt_err err = {0};
	size_t n = 0, at = 0;
	ssize_t got;
	int size;

	while ((got = recv(fd, in + n, sizeof(in) - n, 0)) > 0)
		n += (size_t)got;
	assert_true(got == 0 || errno == ECONNRESET); /* not EAGAIN: it hangs up */
	while ((size = vdg_wire_next(in + at, n - at, sizeof(in), &message)) > 0) {
		at += (size_t)size;
		last = message;
	}
	assert_int_equal(at, n);
	assert_int_equal(last.type, VDG_WIRE_FAIL);
	assert_int_equal(last.id, 0);
	assert_int_equal(vdg_wire_failure(&last, &err), -code);
	if (!strstr(err.text, words))
		fail_msg("'%s' has no '%s'", err.text, words);
	close(fd);
}

static void check_serves(struct device *d)
{
	agent_open(d);
	arm(d, 1, "udp", false, 1);
	settle(d);
	agent_close(d);
}

static void test_nobody_there(void **state)
{
	struct device *d = *state;
	struct sockaddr_un addr = address_new("dead");
	struct vt_err err = {0};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(open_at(addr.sun_path, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no such socket"));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(open_at(addr.sun_path, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.text, "nobody serves"));
	unlink(addr.sun_path);
	assert_int_equal(open_at(NULL, &err), -EINVAL);
	assert_int_equal(open_at(d->path, &err), 0);
}

/* Another server at the socket: what it says is no answer. */
static void test_not_a_device(void **state)
{
	struct sockaddr_un addr = address_new("other");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct vt_err err = {0};
	pid_t pid;

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	pid = fork();
	if (!pid) {
		int peer = accept(fd, NULL, NULL);

		_exit(write(peer, "220 mail.example ESMTP\r\n", 24) != 24);
	}
	assert_int_equal(open_at(addr.sun_path, &err), -EPROTO);
	assert_non_null(strstr(err.text, "not the socket of a forwarding device"));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);
	unlink(addr.sun_path);
}

static void test_second_agent(void **state)
{
	struct device *d = *state;
	struct vt_err err = {0};

	agent_open(d);
	arm(d, 1, "udp", false, 1);
	assert_int_equal(open_at(d->path, &err), -EBUSY);
	assert_non_null(strstr(err.text, "another agent uses this forwarding device (process "));
	start(d, 1); /* the first one does not notice */
	settle(d);
	agent_close(d);
	check_serves(d);
}

static void test_garbage(void **state)
{
	struct device *d = *state;
	static const uint8_t text[] = "GET / HTTP/1.1\r\n\r\n";
	static const uint8_t endless[4] = {0, 16, 0, 0}, tiny[4] = {4, 0, 0, 0};
	uint8_t task[3] = {1, 0, 0};
	int fd;

	fd = raw_connect(d);
	raw_send(fd, text, sizeof(text) - 1);
	check_refused(fd, EBADMSG, "no message of an agent");
	fd = raw_connect(d);
	raw_send(fd, endless, 4);
	check_refused(fd, EBADMSG, "no message of an agent");
	fd = raw_connect(d);
	raw_send(fd, tiny, 4);
	check_refused(fd, EBADMSG, "no message of an agent");
	fd = raw_connect(d);
	raw_message(fd, VDG_WIRE_SYNC, NULL, 0);
	check_refused(fd, EBADMSG, "no greeting");
	fd = raw_connect(d);
	raw_message(fd, VDG_WIRE_HELLO, "VDG2\1", 6);
	check_refused(fd, EBADMSG, "bad greeting");
	fd = raw_connect(d);
	raw_message(fd, VDG_WIRE_HELLO, "VDG1\2", 6);
	check_refused(fd, EPROTONOSUPPORT, "version 2");
	fd = raw_connect(d);
	raw_hello(fd);
	raw_message(fd, 77, NULL, 0);
	check_refused(fd, EBADMSG, "no request of type 77");
	fd = raw_connect(d);
	raw_hello(fd);
	raw_message(fd, VDG_WIRE_ARM, "{\"id\":1", 7);
	check_refused(fd, EBADMSG, "not JSON");
	fd = raw_connect(d);
	raw_hello(fd);
	raw_message(fd, VDG_WIRE_ARM, "{\"id\":1,\"filter\":\"nonsense\"}", 28);
	check_refused(fd, EBADMSG, "nonsense");
	fd = raw_connect(d);
	raw_hello(fd);
	raw_message(fd, VDG_WIRE_STOP, task, 3);
	check_refused(fd, EBADMSG, "bad length");
	check_serves(d);
}

/* An agent goes mad with a task armed: the task goes, the records that waited are told before the end. */
static void test_garbage_after_arming(void **state)
{
	struct device *d = *state;
	static const char task[] = "{\"id\":1,\"filter\":\"udp\"}";
	int fd = raw_connect(d);

	raw_hello(fd);
	raw_message(fd, VDG_WIRE_ARM, task, sizeof(task) - 1);
	device_settled(d, 1);
	raw_message(fd, 77, NULL, 0);
	check_refused(fd, EBADMSG, "no request of type 77");
	device_settled(d, 0);
	check_serves(d);
}

static void test_message_in_pieces(void **state)
{
	struct device *d = *state;
	struct vt_buf buf = {0};
	struct vdg_stats stats;
	int fd = raw_connect(d);
	uint8_t byte;

	vdg_wire_put(&buf, VDG_WIRE_HELLO, 1, "VDG1\1", 6);
	for (size_t i = 0; i < buf.len; i++)
		raw_send(fd, buf.data + i, 1);
	vt_buf_done(&buf);
	assert_int_equal(recv(fd, &byte, 1, 0), 1); /* it was understood */
	pthread_mutex_lock(&d->lock);
	vdg_stats(d->vdg, &stats);
	pthread_mutex_unlock(&d->lock);
	assert_true(stats.agent);
	close(fd);
}

/* An agent that does not read fills the socket, then the rings; the device goes on, and nothing uncounted is lost. */
static void test_agent_that_does_not_read(void **state)
{
	struct device *d = *state;
	struct vdg_worker *worker = vdg_worker(d->vdg, 0);
	struct datagram bytes;
	struct vdg_packet packet = packet_udp(&bytes, 1, 53, 1);
	struct datapath_stats stats;
	struct vdg_stats told = {0};
	uint64_t made = 0;

	agent_open(d);
	arm(d, 1, "udp", false, 1);
	while (!told.lost) {
		for (int i = 0; i < 1000; i++, made++)
			vdg_local(worker, 1, &packet);
		pthread_mutex_lock(&d->lock);
		vdg_stats(d->vdg, &told);
		pthread_mutex_unlock(&d->lock);
	}
	settle(d);
	d->dp->ops->stats(d->dp, &stats);
	assert_int_equal(stats.lost + d->n_logs, made);
	assert_int_equal(stats.records, d->n_logs);
}

static void test_device_gone(void **state)
{
	struct device *d = *state;
	struct vt_err err = {0};
	uint64_t coloured[2];

	agent_open(d);
	arm(d, 1, "udp", false, 1);
	device_end(d);
	assert_int_equal(access(d->path, F_OK), -1);
	assert_int_equal(d->dp->ops->poll(d->dp, sink, d, &err), -ENODEV);
	assert_non_null(strstr(err.text, "is gone"));
	assert_int_equal(d->dp->ops->stop(d->dp, 1, coloured, &err), -ENODEV);
	assert_int_equal(d->dp->ops->busy(d->dp), 0);
	d->dp->ops->disarm(d->dp, 1);
}

static void test_socket_file(void **state)
{
	struct device *d = *state;
	struct vdg_config config = {.socket = d->path, .workers = 1};
	char error[VDG_ERROR_MAX];
	struct vdg *other = NULL;
	struct stat st;

	assert_int_equal(stat(d->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(vdg_open(&other, &config, error), -EADDRINUSE);
	assert_non_null(strstr(error, "another device serves this socket"));
	config.socket = "/tmp";
	assert_int_equal(vdg_open(&other, &config, error), -EEXIST);
	config.socket = "/tmp/no/such/folder.sock";
	assert_int_equal(vdg_open(&other, &config, error), -ENOENT);
	config.workers = 65;
	assert_int_equal(vdg_open(&other, &config, NULL), -EINVAL);
	check_serves(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
	    cmocka_unit_test(test_not_a_device),
	    cmocka_unit_test_setup_teardown(test_second_agent, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_garbage_after_arming, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_message_in_pieces, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_agent_that_does_not_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_device_gone, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_socket_file, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
