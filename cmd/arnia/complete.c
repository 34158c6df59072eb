/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "cmd/arnia/cli.h"

/*
 * Scripts for the shells, made from the tables: per verb its options and what its arguments are. Names of
 * machines and images are asked of a daemon that runs (--no-start), never of one that is started for it.
 */
static const char *const kinds[] = {
	[COMPLETES_NOTHING] = "none", [COMPLETES_MACHINES] = "machines", [COMPLETES_IMAGES] = "images",
	[COMPLETES_VERBS] = "verbs",  [COMPLETES_SHELLS] = "shells",
};

/* All of them, or those whose value is the next word. */
static void add_options(struct strbuf *b, const struct opt_table *t, bool valued)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct opt_def *o = &t->v[i];

		if (!o->help || (valued && !o->arg))
			continue;
		if (o->key)
			strbuf_addf(b, " -%c", o->key);
		if (*o->names)
			strbuf_addf(b, " --%.*s", (int)strcspn(o->names, " "), o->names);
	}
}

static void add_verb_options(struct strbuf *b, const struct verb *v, bool valued)
{
	struct opt_table tables[4];
	struct opt_syntax syntax = verb_syntax(v, tables);

	for (size_t i = 0; i < syntax.n_tables; i++)
		add_options(b, &syntax.tables[i], valued);
	add_options(b, &global_options, valued);
}

static void add_names(struct strbuf *b, const struct verb *list, size_t n, bool aliases)
{
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(b, "%s%s", i ? " " : "", list[i].name);
		if (aliases && list[i].aliases)
			strbuf_addf(b, " %s", list[i].aliases);
	}
}

/* "run) " or "list|ls|ps) " */
static void add_case(struct strbuf *b, const char *noun, const struct verb *v)
{
	auto_free char *also = str_dup(v->aliases ?: "");

	strbuf_addf(b, "    '%s%s'", noun, v->name);
	for (char *rest = also, *word; (word = strsep(&rest, " "));)
		if (*word)
			strbuf_addf(b, " | '%s%s'", noun, word);
	strbuf_add(b, ") ");
}

static void add_verb_case(struct strbuf *b, const char *noun, const struct verb *v)
{
	add_case(b, noun, v);
	strbuf_addf(b, "kind=%s opts=\"", kinds[v->completes]);
	add_verb_options(b, v, false);
	strbuf_add(b, "\" valued=\"");
	add_verb_options(b, v, true);
	strbuf_add(b, " \" ;;\n");
}

static void add_cases(struct strbuf *b)
{
	for (size_t i = 0; i < verbs_n; i++) {
		const struct verb *v = &verbs[i];
		auto_free char *noun = str_fmt("%s ", v->name);

		if (v->fn)
			add_verb_case(b, "", v);
		for (size_t k = 0; k < v->n_verbs; k++)
			add_verb_case(b, noun, &v->verbs[k]);
		if (v->fn)
			continue;
		add_case(b, "", v);
		strbuf_add(b, "kind=none opts=\"");
		add_names(b, v->verbs, v->n_verbs, false);
		strbuf_add(b, "\" ;;\n");
	}
}

/* Sets `out` from kind and opts; the same for bash and zsh, in which `path` and `words` are not ours to use. */
static const char names_script[] =
	"  case $kind in\n"
	"    machines) out=$(arnia --no-start list -f plain -o name 2>/dev/null) ;;\n"
	"    images) out=$(arnia --no-start image list -f plain -o name 2>/dev/null) ;;\n"
	"    verbs) out=$verbs ;;\n"
	"    shells) out='bash zsh fish' ;;\n"
	"  esac\n";

static void add_function(struct strbuf *b)
{
	strbuf_add(b, "_arnia_words() {\n  local at=$1 cur=$2 prev=$3 kind=none opts= valued= out= verbs='");
	add_names(b, verbs, verbs_n, false);
	strbuf_add(b, "'\n  case $at in\n    '') out=$verbs opts=\"");
	add_options(b, &global_options, false);
	strbuf_add(b, "\" valued=\"");
	add_options(b, &global_options, true);
	strbuf_add(b, " \" ;;\n");
	add_cases(b);
	strbuf_add(b, "  esac\n"
		      /* The value of an option is nothing that we know. */
		      "  case \"$valued\" in *\" $prev \"*) return ;; esac\n");
	strbuf_add(b, names_script);
	strbuf_add(b,
		   "  case $at in image | images | template | host) out=$opts ;; esac\n"
		   "  case $cur in -*) out=$opts ;; esac\n"
		   "  printf '%s\\n' $out\n}\n"
		   /* The first word that is no option, and for a noun the second. */
		   "_arnia_path() {\n  local w at= prev=none valued='");
	add_options(b, &global_options, true);
	strbuf_add(b,
		   " '\n  for w in \"$@\"; do\n"
		   "    case $valued in *\" $prev \"*) prev=none; continue ;; esac\n    prev=$w\n    case $w in\n      -*) ;;\n"
		   "      *)\n        case $at in\n          '') at=$w ;;\n"
		   "          image | images | template) at=\"image $w\" ;;\n"
		   "          host) at=\"host $w\" ;;\n        esac ;;\n    esac\n  done\n"
		   "  printf '%s' \"$at\"\n}\n");
}

static void add_bash(struct strbuf *b)
{
	strbuf_add(b, "# bash completion for arnia: . <(arnia completion bash)\n");
	add_function(b);
	strbuf_add(
		b,
		"_arnia() {\n"
		"  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path\n"
		"  path=$(_arnia_path \"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n"
		"  mapfile -t COMPREPLY < <(compgen -W \"$(_arnia_words \"$path\" \"$cur\" \"$prev\")\" -- \"$cur\")\n"
		"}\n"
		"complete -o default -F _arnia arnia\n");
}

static void add_zsh(struct strbuf *b)
{
	strbuf_add(b, "#compdef arnia\n");
	add_function(b);
	strbuf_add(b, "_arnia() {\n"
		      "  setopt local_options sh_word_split\n"
		      "  local path_ cur=${words[CURRENT]}\n"
		      "  path_=$(_arnia_path \"${(@)words[2,CURRENT-1]}\")\n"
		      "  compadd -- ${(f)\"$(_arnia_words \"$path_\" \"$cur\" \"${words[CURRENT-1]}\")\"}\n"
		      "}\n"
		      "compdef _arnia arnia\n");
}

#define SEEN "__fish_seen_subcommand_from "

/* fish takes one line per option. */
static void add_fish_verb(struct strbuf *b, const char *noun, const struct verb *v)
{
	static const char *const sources[] = {
		[COMPLETES_MACHINES] = "(arnia --no-start list -f plain -o name 2>/dev/null)",
		[COMPLETES_IMAGES] = "(arnia --no-start image list -f plain -o name 2>/dev/null)",
		[COMPLETES_VERBS] = "(arnia help | string match -rg \"^  ([a-z]+) \")",
		[COMPLETES_SHELLS] = "bash zsh fish",
	};
	struct opt_table tables[4];
	struct opt_syntax syntax = verb_syntax(v, tables);
	auto_free char *when = *noun ? str_fmt(SEEN "%s; and " SEEN "%s", noun, v->name)
				     : str_fmt(SEEN "%s %s", v->name, v->aliases ?: "");

	if (sources[v->completes])
		strbuf_addf(b, "complete -c arnia -f -n '%s' -a '%s'\n", when, sources[v->completes]);
	for (size_t t = 0; t < syntax.n_tables; t++)
		for (size_t i = 0; i < syntax.tables[t].n; i++) {
			const struct opt_def *o = &syntax.tables[t].v[i];

			if (!o->help)
				continue;
			strbuf_addf(b, "complete -c arnia -n '%s'", when);
			if (o->key)
				strbuf_addf(b, " -s %c", o->key);
			if (*o->names)
				strbuf_addf(b, " -l %.*s", (int)strcspn(o->names, " "), o->names);
			strbuf_addf(b, "%s -d \"%s\"\n", o->arg ? " -r" : "", o->help);
		}
}

static void add_fish(struct strbuf *b)
{
	strbuf_add(b, "# fish completion for arnia: arnia completion fish | source\n");
	for (size_t i = 0; i < verbs_n; i++) {
		const struct verb *v = &verbs[i];

		strbuf_addf(b, "complete -c arnia -f -n __fish_use_subcommand -a %s -d \"%s\"\n", v->name,
			    v->help);
		if (v->fn)
			add_fish_verb(b, "", v);
		for (size_t k = 0; k < v->n_verbs; k++) {
			strbuf_addf(
				b,
				"complete -c arnia -f -n '__fish_seen_subcommand_from %s' -a %s -d \"%s\"\n",
				v->name, v->verbs[k].name, v->verbs[k].help);
			add_fish_verb(b, v->name, &v->verbs[k]);
		}
	}
}

int cmd_completion(struct cli *c)
{
	static const struct {
		const char *name;
		void (*add)(struct strbuf *b);
	} shells[] = { { "bash", add_bash }, { "zsh", add_zsh }, { "fish", add_fish } };
	struct strbuf b = { 0 };
	bool ok;

	for (size_t i = 0; i < ARRAY_SIZE(shells) && !b.len; i++)
		if (str_eq(shells[i].name, c->line.args.v[0]))
			shells[i].add(&b);
	if (!b.len)
		return cli_usage(c, "no completion for \"%.100s\": bash, zsh or fish", c->line.args.v[0]);
	ok = cli_write(c, b.s, b.len);
	strbuf_done(&b);
	return ok ? 0 : ERR_FAILED;
}
