// The C face of RE2. It allocates through C++, which throws where memory is short: that is caught and is "no".
#include "regex.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

struct pg_regex {
    re2::RE2 program;
    int groups;
    std::map<int, std::string> names;

    pg_regex(re2::StringPiece pattern, const re2::RE2::Options &options)
        : program(pattern, options), groups(program.NumberOfCapturingGroups()), names(program.CapturingGroupNames()) {}
};

static void explain(pg_regex_error *error, const std::string &pattern, const std::string &message,
                    const std::string &part) {
    snprintf(error->message, sizeof error->message, "%s", message.c_str());
    size_t found = part.empty() ? std::string::npos : pattern.find(part);
    error->offset = found == std::string::npos ? 0 : found;
    error->length = found == std::string::npos ? 0 : part.size();
}

/// What RE2 says, without the part that it repeats after a colon.
static std::string reason(const re2::RE2 &program) {
    std::string text = program.error();
    const std::string tail = ": " + program.error_arg();
    bool repeats = text.size() > tail.size() && text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
    return repeats ? text.substr(0, text.size() - tail.size()) : text;
}

pg_regex *pg_regex_compile(const char *pattern, size_t length, size_t memory_bytes, pg_regex_error *error) {
    *error = {};
    try {
        re2::RE2::Options options;
        options.set_log_errors(false);
        options.set_max_mem(static_cast<int64_t>(memory_bytes));
        const std::string text(length == 0 ? "" : pattern, length);
        pg_regex *regex = new pg_regex(text, options);
        if (regex->program.ok()) return regex;
        explain(error, text, reason(regex->program), regex->program.error_arg());
        delete regex;
    } catch (...) {
        snprintf(error->message, sizeof error->message, "there is not enough memory for it");
    }
    return nullptr;
}

void pg_regex_free(pg_regex *regex) { delete regex; }

int pg_regex_groups(const pg_regex *regex) { return regex->groups; }

const char *pg_regex_group_name(const pg_regex *regex, int group) {
    auto found = regex->names.find(group);
    return found == regex->names.end() ? nullptr : found->second.c_str();
}

int pg_regex_program_size(const pg_regex *regex) { return regex->program.ProgramSize(); }

bool pg_regex_find(const pg_regex *regex, const char *text, size_t length, size_t from, ptrdiff_t *spans) {
    try {
        std::vector<re2::StringPiece> found(static_cast<size_t>(regex->groups) + 1);
        // Nothing matched has no address, so that an empty text needs one.
        if (length == 0) text = "";
        const re2::StringPiece whole(text, length);
        if (!regex->program.Match(whole, from, length, re2::RE2::UNANCHORED, found.data(), regex->groups + 1)) {
            return false;
        }
        for (size_t group = 0; group < found.size(); group++) {
            bool took_part = found[group].data() != nullptr;
            spans[2 * group] = took_part ? found[group].data() - text : -1;
            spans[2 * group + 1] = took_part ? spans[2 * group] + static_cast<ptrdiff_t>(found[group].size()) : -1;
        }
        return true;
    } catch (...) {
        return false;
    }
}
