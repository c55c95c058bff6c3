/** The programs of the package, with their tables of options: what man pages and config files are generated from. */
import * as NsqadminTable from "../../src/services/nsqadmin/NsqadminTable.ts"
import * as NsqdTable from "../../src/services/nsqd/options/NsqdTable.ts"
import * as NsqlookupdTable from "../../src/services/nsqlookupd/NsqlookupdTable.ts"
import type { ConfigValue } from "../../src/services/options/OptionKind.ts"
import type { OptionTable } from "../../src/services/options/OptionTable.ts"
import * as StandaloneOptions from "../../src/services/standalone/StandaloneOptions.ts"
import * as NsqToNsq from "../../src/services/tools/NsqToNsq.ts"
import * as Stat from "../../src/services/tools/Stat.ts"
import * as Tail from "../../src/services/tools/Tail.ts"
import * as ToFile from "../../src/services/tools/ToFile.ts"
import * as ToHttp from "../../src/services/tools/ToHttp.ts"
import * as ToNsq from "../../src/services/tools/ToNsq.ts"

/** An option, as documentation shows it. */
export interface Option {
  readonly flag: string
  /** The key in the config file. */
  readonly key: string
  readonly help: string
  readonly group: string
  /** The name of the value; empty for switches. */
  readonly placeholder: string
  /** The default; empty for the zero value, and where the machine decides it. */
  readonly defaultText: string
  /** The default as a value of TOML; `undefined` where the machine decides it. */
  readonly toml: string | undefined
}

/** A program. */
export interface Program {
  readonly name: string
  readonly summary: string
  readonly options: ReadonlyArray<Option>
  /** Whether it is a daemon: it has a config file, a service and environment variables. */
  readonly isDaemon: boolean
}

/** Options whose default depends on the machine, which must not decide the bytes of an artefact. */
const ofMachine = new Set(["broadcast-address", "node-id", "host-identifier"])

/** Defaults by key whose form in a file is not the one that `/config` shows. */
const inFiles: Readonly<Record<string, string>> = {
  log_level: `"info"`,
  tls_required: "false",
  tls_min_version: `"tls1.2"`
}

const tomlOf = (value: ConfigValue): string => JSON.stringify(value._tag === "Text" ? value.text : value.json)

const optionsOf = <Options extends object>(table: OptionTable<Options>): ReadonlyArray<Option> => {
  const options: Array<Option> = []
  const add = <K extends keyof Options>(field: K): void => {
    const { flag, group, help, initial, key, kind } = table[field]
    const { format, placeholder, render } = kind
    const isOfMachine = ofMachine.has(flag)
    const defaultText = isOfMachine ? "" : format(initial())
    const toml = isOfMachine
      ? undefined
      : placeholder === "duration"
      ? JSON.stringify(defaultText === "" ? "0s" : defaultText)
      : inFiles[key] ?? tomlOf(render(initial()))
    options.push({ flag, key, help, group, placeholder, defaultText, toml })
  }
  for (const field in table) add(field)
  return options
}

const program = <Options extends object>(
  name: string,
  summary: string,
  table: OptionTable<Options>,
  isDaemon = false
): Program => ({ name, summary, options: optionsOf(table), isDaemon })

/** Every program that has a table of options. */
export const programs: ReadonlyArray<Program> = [
  program("nsqd", "daemon that receives, queues and delivers messages", NsqdTable.table, true),
  program("nsqlookupd", "directory of topics and the nsqds that have them", NsqlookupdTable.table, true),
  program("nsqadmin", "web interface of a cluster of nsqds", NsqadminTable.table, true),
  program("nsq_stat", "prints the statistics of a channel at intervals", Stat.table),
  program("nsq_tail", "prints the messages of topics", Tail.table),
  program("nsq_to_file", "writes the messages of topics to files", ToFile.table),
  program("nsq_to_http", "sends the messages of a topic to HTTP servers", ToHttp.table),
  program("nsq_to_nsq", "publishes the messages of topics to other nsqds", NsqToNsq.table),
  program("to_nsq", "publishes the lines of its standard input", ToNsq.table)
]

/** The three daemons in one process. */
export const standalone: Program = program(
  "standalone",
  "nsqlookupd, nsqd and nsqadmin in one process, for development",
  StandaloneOptions.table,
  true
)
