/**
 * `effect-nsq/protocol`: NSQ's wire protocol and file formats as Schemas and codecs. Pure: no fibers, no I/O.
 */

/** The commands a client sends. */
export * as Command from "./Command.ts"
/** Commands from bytes, however these are cut. */
export * as CommandDecoder from "./CommandDecoder.ts"
/** The parameters of a command line. */
export * as CommandLine from "./CommandLine.ts"
/** What the decoder gives out. */
export * as Decoded from "./Decoded.ts"
/** The disk queue's files. */
export * as DiskQueueFormat from "./DiskQueueFormat.ts"
/** What a server sends. */
export * as Frame from "./Frame.ts"
/** JSON objects as Go reads them. */
export * as GoJson from "./GoJson.ts"
/** How message ids are made. */
export * as Guid from "./Guid.ts"
/** What client and server agree on. */
export * as Identify from "./Identify.ts"
/** What nsqlookupd answers. */
export * as LookupAnswer from "./LookupAnswer.ts"
/** What nsqd tells nsqlookupd. */
export * as LookupCommand from "./LookupCommand.ts"
/** How nsqd and nsqlookupd introduce themselves to each other. */
export * as LookupIdentity from "./LookupIdentity.ts"
/** The message layout. */
export * as Message from "./Message.ts"
/** Messages that travel together. */
export * as MessageBatch from "./MessageBatch.ts"
/** Topic and channel names. */
export * as Names from "./Names.ts"
/** The metadata file. */
export * as NsqdMetadata from "./NsqdMetadata.ts"
/** The catalogue of wire errors. */
export * as ProtocolError from "./ProtocolError.ts"
/** Go's rules for quoting and for numbers. */
export * as Text from "./Text.ts"
