/**
 * The program `nsq_to_file`: writes messages to files.
 */
import * as NsqLogger from "../services/logging/NsqLogger.ts"
import * as ToFile from "../services/utilities/ToFile.ts"
import * as Tool from "./tool.ts"

Tool.run({
  name: "nsq_to_file",
  table: ToFile.table,
  defaults: ToFile.defaults,
  main: ToFile.main,
  onlyFlags: true,
  logs: ({ logLevel, logPrefix }) =>
    NsqLogger.layer({ format: "nsq", level: ToFile.parseLogLevel(logLevel) ?? "info", prefix: logPrefix })
})
