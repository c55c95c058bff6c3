/** `nsq context`: shows the named clusters. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Contexts from "./Contexts.ts"
import * as Output from "./Output.ts"

const list = Command.make(
  "list",
  {},
  Effect.fnUntraced(function*() {
    const { contexts = {}, current } = yield* Contexts.load
    const rows = Object.entries(contexts).map(([name, cluster]) => ({
      name,
      current: name === current,
      nsqlookupds: cluster.lookupd_http_addresses ?? [],
      nsqds: cluster.nsqd_http_addresses ?? cluster.nsqd_tcp_addresses ?? [],
      tls: cluster.tls === true
    }))
    yield* Output.printRows(
      [
        { heading: "CONTEXT", cell: ({ name }) => name },
        { heading: "", cell: ({ current }) => current ? "current" : "" },
        { heading: "NSQLOOKUPD", cell: ({ nsqlookupds }) => nsqlookupds.join(", ") },
        { heading: "NSQD", cell: ({ nsqds }) => nsqds.join(", ") },
        { heading: "TLS", cell: ({ tls }) => tls ? "yes" : "no" }
      ],
      rows,
      `no contexts in ${yield* Contexts.path}`
    )
  })
).pipe(
  Command.withDescription("List the named clusters of the contexts file"),
  Command.withExamples([{ command: "nsq context list", description: "Which cluster is the current one" }])
)

/** The command `nsq context`. */
export const contextCommand = Command.make("context").pipe(
  Command.withDescription("Show named clusters"),
  Command.withSubcommands([list]),
  Command.withExamples([{ command: "nsq context list --json", description: "As JSON" }])
)
