/**
 * The program `nsq_stat`: prints the figures of a channel repeatedly.
 */
import * as Stat from "../services/tools/Stat.ts"
import * as Tool from "./tool.ts"

Tool.run({ name: "nsq_stat", table: Stat.table, defaults: Stat.defaults, main: Stat.main, endsOnHangup: true })
