/* Indices that NumPy refuses, from tests/lang/indexing/errors.txt: every one is an error of the right code at
 * the place of the index expression, and the session goes on. */
#include "support.h"

/* One line: codes, first and last column of the index expression, program. */
typedef struct Refused {
    char *codes, *program;
    long first, last;
} Refused;

static bool parse_line(char *line, Refused *out) {
    char *fields[4] = {line};
    for (int i = 1; i < 4; i++) {
        if (!(fields[i] = strchr(fields[i - 1], '\t')))
            return false;
        *fields[i]++ = 0;
    }
    fields[3][strcspn(fields[3], "\n")] = 0;
    *out = (Refused){fields[0], fields[3], strtol(fields[1], NULL, 10), strtol(fields[2], NULL, 10)};
    return true;
}

static void check_refused(gmx_session *session, const Refused *refused) {
    gmx_status status = gmx_run_text(session, "case", refused->program, -1);
    const char *message = gmx_errmsg(session), *place = strstr(message, "--> case:1:");
    CHECK(status == GMX_ERROR && strstr(refused->codes, gmx_errcode(session)), "%s: status %d: %s",
          refused->program, (int)status, message);
    long column = place ? strtol(place + strlen("--> case:1:"), NULL, 10) : 0;
    CHECK(column >= refused->first && column <= refused->last, "%s: expected columns %ld to %ld: %s",
          refused->program, refused->first, refused->last, message);
}

int main(void) {
    gmx_session *session = open_session(0);
    FILE *file = fopen("tests/lang/indexing/errors.txt", "r");
    char line[4096];
    int count = 0;
    if (!file) {
        perror("errors.txt");
        return 1;
    }
    CHECK_OK(session, gmx_run_text(session, "setup", "let keep = arange(10.0)", -1));
    while (fgets(line, sizeof line, file)) {
        Refused refused;
        if (*line == '#' || !parse_line(line, &refused))
            continue;
        check_refused(session, &refused);
        count++;
    }
    fclose(file);
    CHECK(count >= 100, "%d cases only", count);
    CHECK(eval_number(session, "sum(keep)") == 45, "the session is damaged");
    gmx_session_close(session);
    return finish();
}
