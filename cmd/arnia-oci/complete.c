/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/str.h"

/* Scripts for the shells, made from the tables: per verb its options, those of them that take a value, and
 * whether its first operand is a container that there is already. */

static bool names_container(const struct verb *v)
{
	return str_starts(v->operands, "ID") && !str_eq(v->name, "create") && !str_eq(v->name, "run") &&
	       !str_eq(v->name, "restore");
}

static void add_options(struct strbuf *b, const struct opt *o, size_t n, bool valued)
{
	for (; n; n--, o++) {
		if (!o->help || (valued && o->kind == OPT_FLAG))
			continue;
		if (o->letter)
			strbuf_addf(b, " -%c", o->letter);
		strbuf_addf(b, " --%s", o->name);
	}
}

static void add_case(struct strbuf *b, const struct verb *v)
{
	strbuf_addf(b, "    %s) ids=%s opts=\"", v->name, names_container(v) ? "yes" : "");
	add_options(b, v->opts, v->n_opts, false);
	strbuf_add(b, "\" valued=\"");
	add_options(b, v->opts, v->n_opts, true);
	strbuf_add(b, " \" ;;\n");
}

static void add_verb_names(struct strbuf *b)
{
	for (size_t i = 0; i < n_verbs; i++)
		strbuf_addf(b, "%s%s", i ? " " : "", verbs[i].name);
}

/* The same for bash and zsh. _arnia_oci_words VERB CUR PREV ROOT */
static void add_function(struct strbuf *b)
{
	strbuf_add(b, "_arnia_oci_words() {\n  local cur=$2 prev=$3 ids= opts= valued= out=\n  case $1 in\n  "
		      "  '') out='");
	add_verb_names(b);
	strbuf_add(b, "' opts=\"");
	add_options(b, global_opts, n_global_opts, false);
	strbuf_add(b, "\" valued=\"");
	add_options(b, global_opts, n_global_opts, true);
	strbuf_add(b, " \" ;;\n");
	for (size_t i = 0; i < n_verbs; i++)
		add_case(b, &verbs[i]);
	strbuf_add(b, "  esac\n"
		      "  case \"$valued\" in *\" $prev \"*) return ;; esac\n"
		      "  [ -z \"$ids\" ] || out=$(arnia-oci ${4:+--root \"$4\"} list -q 2>/dev/null)\n"
		      "  [ \"$1\" != completion ] || out='bash zsh fish'\n"
		      "  case $cur in -*) out=$opts ;; esac\n"
		      "  printf '%s\\n' $out\n}\n"
		      /* Sets verb_ and root_: the first word that is no option. */
		      "_arnia_oci_look() {\n  local w prev= valued='");
	add_options(b, global_opts, n_global_opts, true);
	strbuf_add(b, " '\n  verb_= root_=\n  for w in \"$@\"; do\n"
		      "    [ \"$prev\" != --root ] || root_=$w\n"
		      "    case $w in --root=*) root_=${w#--root=} ;; esac\n"
		      "    case $valued in *\" $prev \"*) prev=; continue ;; esac\n    prev=$w\n"
		      "    case $w in -*) ;; *) verb_=$w; return ;; esac\n  done\n}\n");
}

static void add_bash(struct strbuf *b)
{
	strbuf_add(b, "# bash completion for arnia-oci: . <(arnia-oci completion bash)\n");
	add_function(b);
	strbuf_add(b, "_arnia_oci() {\n"
		      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb_ root_\n"
		      "  _arnia_oci_look \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"\n"
		      "  mapfile -t COMPREPLY < <(compgen -W "
		      "\"$(_arnia_oci_words \"$verb_\" \"$cur\" \"$prev\" \"$root_\")\" -- \"$cur\")\n"
		      "}\n"
		      "complete -o default -F _arnia_oci arnia-oci\n");
}

static void add_zsh(struct strbuf *b)
{
	strbuf_add(b, "#compdef arnia-oci\n");
	add_function(b);
	strbuf_add(b, "_arnia_oci() {\n"
		      "  setopt local_options sh_word_split\n"
		      "  local verb_ root_ cur=${words[CURRENT]}\n"
		      "  _arnia_oci_look \"${(@)words[2,CURRENT-1]}\"\n"
		      "  compadd -- ${(f)\"$(_arnia_oci_words \"$verb_\" \"$cur\" \"${words[CURRENT-1]}\" "
		      "\"$root_\")\"}\n"
		      "}\n"
		      "compdef _arnia_oci arnia-oci\n");
}

static void add_fish_options(struct strbuf *b, const char *when, const struct opt *o, size_t n)
{
	for (; n; n--, o++) {
		if (!o->help)
			continue;
		strbuf_addf(b, "complete -c arnia-oci -n '%s'", when);
		if (o->letter)
			strbuf_addf(b, " -s %c", o->letter);
		strbuf_addf(b, " -l %s%s -d \"%s\"\n", o->name, o->kind == OPT_FLAG ? "" : " -r", o->help);
	}
}

static void add_fish(struct strbuf *b)
{
	strbuf_add(b, "# fish completion for arnia-oci: arnia-oci completion fish | source\n");
	add_fish_options(b, "__fish_use_subcommand", global_opts, n_global_opts);
	for (size_t i = 0; i < n_verbs; i++) {
		const struct verb *v = &verbs[i];
		auto_free char *when = str_fmt("__fish_seen_subcommand_from %s", v->name);

		strbuf_addf(b, "complete -c arnia-oci -f -n __fish_use_subcommand -a %s -d \"%s\"\n", v->name,
			    v->summary);
		if (names_container(v))
			strbuf_addf(b,
				    "complete -c arnia-oci -f -n '%s' -a '(arnia-oci list -q 2>/dev/null)'\n",
				    when);
		add_fish_options(b, when, v->opts, v->n_opts);
	}
}

int cmd_completion(struct call *c, struct error *err)
{
	static const struct {
		const char *name;
		void (*add)(struct strbuf *b);
	} shells[] = { { "bash", add_bash }, { "zsh", add_zsh }, { "fish", add_fish } };
	struct strbuf b = { 0 };
	bool ok;

	for (size_t i = 0; i < ARRAY_SIZE(shells) && !b.len; i++)
		if (str_eq(shells[i].name, c->args.v[0]))
			shells[i].add(&b);
	if (!b.len)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "no completion for \"%.64s\": bash, zsh or fish",
				    c->args.v[0]);
	ok = fputs(b.s, stdout) >= 0 && fflush(stdout) == 0;
	strbuf_done(&b);
	return ok ? 0 : err_sys(err, -errno, "write the output");
}
