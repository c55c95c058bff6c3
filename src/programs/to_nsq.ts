/**
 * The program `to_nsq`: publishes standard input.
 */
import * as ToNsq from "../services/tools/ToNsq.ts"
import * as Tool from "./tool.ts"

Tool.run({ name: "to_nsq", table: ToNsq.table, defaults: ToNsq.defaults, main: ToNsq.main, hasVersion: false })
