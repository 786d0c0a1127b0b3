// The parts of the hub's API records (docs/api.md) that the page reads.

/**
 * @typedef {"healthy" | "faults" | "unclear" | "blind" | "starting"} Health
 * @typedef {"critical" | "warning" | "info"} Severity
 * @typedef {"o" | "l" | "p" | "f" | "s" | "u"} Letter  The state of a cell or path: see letters.js.
 *
 * @typedef {object} Summary
 * @property {string} sentence
 * @property {Health} state
 * @property {string} cluster
 * @property {number} open
 * @property {number} probers
 * @property {number} silent
 * @property {number} paths
 * @property {number | null} age  Seconds since the last look.
 *
 * @typedef {object} Scope
 * @property {string} kind
 * @property {string[]} nodes
 * @property {string[]} zones
 *
 * @typedef {object} Seen
 * @property {string} source
 * @property {string} target
 * @property {string} plane
 * @property {string} family
 * @property {string} probe
 * @property {string} outcome
 * @property {number} since
 *
 * @typedef {object} Fault
 * @property {string} kind
 * @property {Scope} scope
 * @property {Severity} severity
 * @property {number} confidence
 * @property {Scope[]} one_of
 * @property {Seen[]} failing
 * @property {Seen[]} working
 *
 * @typedef {object} Finding
 * @property {string} id
 * @property {string} phase
 * @property {string} headline
 * @property {string} place
 * @property {string} what
 * @property {string[]} evidence
 * @property {string[]} next
 * @property {number} first_seen
 * @property {number} last_seen
 * @property {number | null} opened
 * @property {number | null} closed
 * @property {number} escalations  How often it became worse while it was open.
 * @property {Fault} finding
 *
 * @typedef {object} Findings
 * @property {Finding[]} open
 * @property {Finding[]} recent
 *
 * @typedef {object} Prober
 * @property {string} network
 * @property {"answering" | "silent"} state
 * @property {number} silent_seconds
 * @property {string} error
 * @property {number} paths
 * @property {number} failing
 *
 * @typedef {object} Node
 * @property {string} node
 * @property {string} zone
 * @property {Prober[]} probers
 * @property {string[]} findings
 *
 * @typedef {object} Path
 * @property {string} id
 * @property {string} source
 * @property {string} network
 * @property {string} role
 * @property {string} target
 * @property {string} plane
 * @property {string} family
 * @property {string} probe
 * @property {Letter} state
 * @property {string} outcome
 * @property {number | null} age
 * @property {number} attempts
 * @property {number} failed
 * @property {number} failing_seconds
 * @property {number} sent
 * @property {number} lost
 * @property {number} rtt_p50
 * @property {number} rtt_p99
 *
 * @typedef {object} Bandwidth
 * @property {string} source
 * @property {string} target
 * @property {string} plane
 * @property {string} family
 * @property {number} rate
 * @property {number} retransmits
 * @property {number} age
 * @property {string} measured_by
 *
 * @typedef {object} Paths
 * @property {Path[]} paths
 * @property {number} left_out
 * @property {Bandwidth[]} [bandwidth]
 *
 * @typedef {object} NodeDetail
 * @property {string} node
 * @property {string} zone
 * @property {Prober[]} probers
 * @property {Finding[]} findings
 * @property {number} paths_from
 * @property {number} paths_to
 * @property {Path[]} failing
 * @property {number} left_out
 *
 * @typedef {object} Columns  The matrix as the API sends it: one entry a cell in each column.
 * @property {"node" | "zone"} by
 * @property {number | null} at
 * @property {string[]} names
 * @property {string[]} zone_names
 * @property {number[]} zones
 * @property {number[]} counts
 * @property {number[]} to
 * @property {string} state
 * @property {number[]} attempts
 * @property {number[]} rtt  Microseconds.
 * @property {number[]} age  Seconds; -1 without a result.
 * @property {Record<string, number>} failed
 * @property {Record<string, number>} loss
 * @property {number} left_out
 *
 * @typedef {object} Happening
 * @property {number} at
 * @property {string} kind
 * @property {string} subject  A node, a prober as `node (network)`, or the id of a finding.
 * @property {string} text
 *
 * @typedef {object} Happenings
 * @property {number} since
 * @property {number} until
 * @property {Happening[]} events
 * @property {number} left_out
 *
 * @typedef {object} PathHistory
 * @property {number} since
 * @property {number} until
 * @property {{ at: number, state: Letter | "", outcome: string }[]} changes  The first is the state at `since`.
 * @property {number} left_out
 *
 * @typedef {object} Rollups  The minutes of a node or zone, in columns.
 * @property {number} since
 * @property {number} until
 * @property {number[]} at
 * @property {number[]} paths
 * @property {number[]} failing
 * @property {number[]} rtt  Microseconds.
 *
 * @typedef {object} Series  The points of a metric of a path, in columns.
 * @property {"prometheus" | "prober"} source
 * @property {number} since
 * @property {number} until
 * @property {number[]} at
 * @property {number[]} value  Seconds (`rtt`) or a ratio.
 */

export {};
