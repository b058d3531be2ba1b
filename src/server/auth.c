// SPDX-License-Identifier: BSD-3-Clause
/* See auth.h. */
#include "server/auth.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct auth {
	unsigned int n;
	char *tokens[AUTH_TOKENS_MAX];
};

static char *trim(char *line)
{
	char *end;

	while (isspace((unsigned char)*line))
		line++;
	end = line + strlen(line);
	while (end > line && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return line;
}

static bool is_token(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++) {
		if (!isgraph((unsigned char)text[i]))
			return false;
	}
	return n > 0 && n <= AUTH_TOKEN_MAX;
}

static int add_line(struct auth *auth, char *line, const char *path, unsigned int number, struct vt_err *err)
{
	char *token = trim(line);

	if (!*token || *token == '#')
		return 0;
	if (!is_token(token))
		return vt_fail(err, EBADMSG, "token file %s, line %u: a token is one word of at most %d characters",
		               path, number, AUTH_TOKEN_MAX);
	if (auth->n == AUTH_TOKENS_MAX)
		return vt_fail(err, E2BIG, "token file %s: more than %d tokens", path, AUTH_TOKENS_MAX);
	token = strdup(token);
	if (!token)
		return vt_fail(err, ENOMEM, "token file %s: no memory", path);
	auth->tokens[auth->n++] = token;
	return 0;
}

static int read_file(struct auth *auth, FILE *file, const char *path, struct vt_err *err)
{
	unsigned int number = 0;
	char *line = NULL;
	size_t room = 0;
	int rc = 0;

	while (!rc && getline(&line, &room, file) >= 0)
		rc = add_line(auth, line, path, ++number, err);
	free(line);
	if (!rc && ferror(file))
		rc = vt_fail(err, EIO, "token file %s: %s", path, strerror(errno));
	if (!rc && !auth->n)
		rc = vt_fail(err, EBADMSG, "token file %s: it has no token (write one a line)", path);
	return rc;
}

int auth_open(const char *path, struct auth **ret_auth, struct vt_err *err)
{
	struct auth *auth = calloc(1, sizeof(*auth));
	FILE *file = fopen(path, "re");
	int rc;

	if (!file)
		rc = vt_fail(err, errno, "token file %s: %s", path, strerror(errno));
	else
		rc = auth ? read_file(auth, file, path, err) : vt_fail(err, ENOMEM, "token file %s: no memory", path);
	if (file)
		fclose(file);
	if (rc) {
		auth_free(auth);
		return rc;
	}
	*ret_auth = auth;
	return 0;
}

void auth_free(struct auth *auth)
{
	for (unsigned int i = 0; auth && i < auth->n; i++)
		free(auth->tokens[i]);
	free(auth);
}

/* Looks at every byte of `shown`, whatever differs first. */
static bool equal(const char *shown, size_t n_shown, const char *token)
{
	size_t n_token = strlen(token);
	volatile unsigned char differs = n_shown != n_token;

	for (size_t i = 0; i < n_shown; i++)
		differs |= (unsigned char)shown[i] ^ (unsigned char)token[i % n_token];
	return !differs;
}

bool auth_check(const struct auth *auth, const char *header)
{
	unsigned int found = 0;

	if (!auth)
		return true;
	if (!header || strncasecmp(header, "Bearer ", 7) != 0)
		return false;
	header += 7;
	header += strspn(header, " ");
	for (unsigned int i = 0; i < auth->n; i++)
		found |= equal(header, strlen(header), auth->tokens[i]);
	return found;
}
