/** The reference of a program's options, generated from its table: a section for each group, a row for each option. */
import { type Option, type Program, programs, standalone } from "../dist/programs.ts"
import { cell, code } from "./tables.ts"

const row = ({ isDaemon, name }: Program, { defaultText, flag, help, key, placeholder }: Option): string => {
  const value = placeholder === "" ? "" : `=<${placeholder}>`
  const sources = isDaemon
    ? [code(key), code(`${name.toUpperCase()}_${flag.toUpperCase().replaceAll("-", "_")}`)]
    : []
  return `| ${[code(`--${flag}${value}`), ...sources, code(defaultText), cell(help)].join(" | ")} |`
}

/** The first sentences of a page: where the options of a program come from. */
const introduction = ({ isDaemon, name }: Program): string =>
  isDaemon
    ? `A flag takes precedence over the environment variable, the variable over the config file (\`--config\`, TOML), and the file over
the default. [Configuration](/operations.md#configuration) explains the forms of values; [Options and logs](/protocol/options.md)
describes the exact rules. \`${name} --help\` prints the same options.`
    : `The flags have NSQ's forms: \`--name=value\` or \`-name value\`. [Tools](/protocol/tools.md) describes what the program does;
\`${name} --help\` prints the same options.`

const columns = ({ isDaemon }: Program): ReadonlyArray<string> => [
  "flag",
  ...isDaemon ? ["key in the config file", "environment variable"] : [],
  "default",
  "meaning"
]

/** Returns the page of a program. */
export const pageOf = (program: Program): string => {
  const heads = columns(program)
  const byGroup = Map.groupBy(program.options, ({ group }) => group)
  const sections = Array.from(byGroup, ([group, options]) => [
    `## ${group === "" ? "Options" : group}`,
    "",
    `| ${heads.join(" | ")} |`,
    `|${heads.map(() => " --- |").join("")}`,
    ...options.map((option) => row(program, option)),
    ""
  ])
  return [`# Options of ${program.name}`, "", introduction(program), "", ...sections.flat()].join("\n")
}

/** The pages by their paths on the site. */
export const configurationPages = (): ReadonlyMap<string, string> =>
  new Map([...programs, standalone].map((program) => [`configuration/${program.name}`, pageOf(program)]))
