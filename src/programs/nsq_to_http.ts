/**
 * The program `nsq_to_http`: sends messages to web servers.
 */
import * as ToHttp from "../services/tools/ToHttp.ts"
import * as Tool from "./tool.ts"

Tool.run({ name: "nsq_to_http", table: ToHttp.table, defaults: ToHttp.defaults, main: ToHttp.main })
