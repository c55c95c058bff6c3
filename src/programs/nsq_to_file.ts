/**
 * The program `nsq_to_file`: writes messages to files.
 */
import { Effect } from "effect"
import * as NodeOutputFiles from "../services/tools/NodeOutputFiles.ts"
import * as ToFile from "../services/tools/ToFile.ts"
import * as Tool from "./tool.ts"

Tool.run({
  name: "nsq_to_file",
  table: ToFile.table,
  defaults: ToFile.defaults,
  main: (options) => Effect.provide(ToFile.main(options), NodeOutputFiles.layer),
  onlyFlags: true,
  logs: ({ logLevel, logPrefix }) => ({ level: ToFile.parseLogLevel(logLevel) ?? "info", prefix: logPrefix })
})
