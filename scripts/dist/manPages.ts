/** Man pages, generated from the tables of options. */
import type { Option, Program } from "./programs.ts"

/** Escapes a text for roff. */
const roff = (text: string): string =>
  text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll(/^([.'])/gm, "\\&$1")

/** Returns the first lines of a page. `time` is in seconds. */
const head = (name: string, summary: string, version: string, time: number): ReadonlyArray<string> => {
  const date = new Date(time * 1000).toISOString().slice(0, "YYYY-MM-DD".length)
  return [
    `.TH ${name.toUpperCase()} 1 "${date}" "effect\\-nsq ${version}" "effect\\-nsq"`,
    ".SH NAME",
    `${roff(name)} \\- ${roff(summary)}`
  ]
}

const option = ({ defaultText, flag, help, placeholder }: Option): ReadonlyArray<string> => [
  ".TP",
  `\\fB\\-\\-${roff(flag)}\\fR${placeholder === "" ? "" : `=\\fI${roff(placeholder)}\\fR`}`,
  roff(help) + (defaultText === "" ? "" : ` (default ${roff(defaultText)})`)
]

const daemonSections = ({ name }: Program): ReadonlyArray<string> => {
  const prefix = roff(name.toUpperCase())
  return [
    ".SH CONFIGURATION",
    `A flag takes precedence over the environment variable \\fB${prefix}_\\fR\\fINAME\\fR (the flag's name in capitals, with`,
    "underscores), the variable over the config file, and the file over the default.",
    ".SH SIGNALS",
    ".TP",
    "SIGTERM, SIGINT",
    "Stops in order; the exit code is 0 if nothing was lost.",
    ".TP",
    "SIGHUP",
    "Reloads what can be reloaded: nsqd reads its certificates again.",
    ".SH FILES",
    ".TP",
    `/etc/nsq/${roff(name)}.toml`,
    `The config file that ${roff(name)}.service names with \\fB\\-\\-config\\fR.`
  ]
}

/** Returns the page of a program that has a table of options. */
export const pageOf = (program: Program, others: ReadonlyArray<string>, version: string, time: number): string => {
  const { isDaemon, name, options, summary } = program
  const general: ReadonlyArray<Option> = [
    ...isDaemon
      ? [{ flag: "config", help: "path of the config file", placeholder: "string" }]
      : [],
    ...name === "to_nsq" ? [] : [{ flag: "version", help: "print the version and exit", placeholder: "" }]
  ].map((shown) => ({ ...shown, key: "", group: "", defaultText: "", toml: undefined }))
  const byGroup = Map.groupBy([...general, ...options], ({ group }) => group)
  return [
    ...head(name, summary, version, time),
    ".SH SYNOPSIS",
    `.B ${roff(name)}`,
    "[\\fIflags\\fR]",
    ".SH OPTIONS",
    "Flags have the forms of NSQ: \\fB\\-\\-name=value\\fR, \\fB\\-name value\\fR. Repeat the flag of a list for each item.",
    ...Array.from(byGroup).flatMap(([group, rows]) => [
      ...group === "" ? [] : [`.SS ${roff(group)}`],
      ...rows.toSorted((a, b) => a.flag < b.flag ? -1 : 1).flatMap(option)
    ]),
    ...isDaemon ? daemonSections(program) : [],
    ".SH SEE ALSO",
    others.filter((other) => other !== name).map((other) => `\\fB${roff(other)}\\fR(1)`).join(",\n"),
    ""
  ].join("\n")
}

/** Exit codes of `nsq`, as in docs/cli.md. */
const exitStatus = [
  ["0", "done"],
  ["1", "a daemon refused or cannot be reached, or a topic or channel does not exist"],
  ["2", "an argument, a flag or the file of contexts is not valid"],
  ["3", "the command would lose messages and was not confirmed"],
  ["4", "a check has found something"]
] as const

/** Returns the page of `nsq`, which describes itself with `--help`: each heading of that is a section. */
export const pageOfHelp = (
  name: string,
  summary: string,
  help: string,
  others: ReadonlyArray<string>,
  version: string,
  time: number
): string =>
  [
    ...head(name, summary, version, time),
    ...help.trim().split("\n").flatMap((line) =>
      /^[A-Z][A-Z ]+$/.test(line) ? [".fi", `.SH ${line}`, ".nf"] : [roff(line.replace(/^ {2}/, ""))]
    ),
    ".fi",
    ".PP",
    `\\fB${name}\\fR \\fIsubcommand\\fR \\fB\\-\\-help\\fR lists the flags of a subcommand, with examples.`,
    ".SH EXIT STATUS",
    ...exitStatus.flatMap(([code, meaning]) => [".TP", code, roff(meaning)]),
    ".SH SEE ALSO",
    others.map((other) => `\\fB${roff(other)}\\fR(1)`).join(",\n"),
    ""
  ].join("\n")
