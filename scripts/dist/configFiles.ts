/** Config files that list every option with its help text and default, generated from the tables of options. */
import type { Option, Program } from "./programs.ts"

/** What a package sets, by key, as values of TOML. Services listen on loopback until the operator opens them. */
export const settings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  nsqd: {
    data_path: `"/var/lib/nsqd"`,
    tcp_address: `"127.0.0.1:4150"`,
    http_address: `"127.0.0.1:4151"`
  },
  nsqlookupd: {
    tcp_address: `"127.0.0.1:4160"`,
    http_address: `"127.0.0.1:4161"`
  },
  nsqadmin: {
    http_address: `"127.0.0.1:4171"`,
    nsqd_http_addresses: `["127.0.0.1:4151"]`
  }
}

/** Values for options that have no default of their own. */
const examples: Readonly<Record<string, string>> = {
  broadcast_address: `"nsqd-1.example.com"`,
  id: "1"
}

const width = 100

/** Breaks a text into comment lines. */
const comment = (text: string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = "#"
  for (const word of text.split(/\s+/)) {
    if (line.length + word.length >= width) {
      lines.push(line)
      line = "#"
    }
    line += ` ${word}`
  }
  return [...lines, line]
}

const entry = ({ help, key, toml }: Option, set: string | undefined): ReadonlyArray<string> => [
  "",
  ...comment(help),
  ...set === undefined ? [`#${key} = ${toml ?? examples[key] ?? `""`}`] : [
    ...comment(`Default: ${toml}. This package sets:`),
    `${key} = ${set}`
  ]
]

/** Returns the config file of a daemon. A line that begins with `#` and a key shows the default. */
export const configFile = ({ name, options }: Program): string => {
  const byGroup = Map.groupBy(options, ({ group }) => group)
  return [
    `# Options of ${name}; see ${name}(1). Lines that begin with "#name" show defaults.`,
    ...Array.from(byGroup).flatMap(([group, rows]) => [
      ...group === "" ? [] : ["", "", `# ${group}`],
      ...rows.flatMap((row) => entry(row, settings[name]?.[row.key]))
    ]),
    ""
  ].join("\n")
}
