/**
 * The program `nsq_tail`: prints the messages of topics.
 */
import * as Tail from "../services/tools/Tail.ts"
import * as Tool from "./tool.ts"

Tool.run({ name: "nsq_tail", table: Tail.table, defaults: Tail.defaults, main: Tail.main })
