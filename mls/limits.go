package mls

// Bounds on what others may make us do. Sizes are in bytes. A caller with
// tighter limits of its own (a channel, a room) checks them first.
const (
	// maxMessage bounds one encoded object: a Welcome with the tree of some
	// ten thousand members in the hybrid suite, or of maxLeaves in suite 1.
	maxMessage = 1 << 25

	// maxOpaque bounds a group id of our own making, a label, a stored key.
	maxOpaque = 1 << 12

	// maxIdentity bounds an identity of our own making.
	maxIdentity = 1 << 10

	// maxLeaf bounds an encoded leaf node, some 1,400 in the hybrid suite: a
	// member with a larger one could swell the Welcomes of a group until
	// nobody can be added.
	maxLeaf = 1 << 12

	// maxLeaves is the size of the largest ratchet tree.
	maxLeaves = 1 << 16

	// maxPath is the number of nodes of an update path: the height of the tree.
	maxPath = 16

	// maxProposals is the number of proposals in a commit.
	maxProposals = 2 * maxLeaves

	// maxForward is how many generations a sender ratchet moves forward for
	// one message, at most (RFC 9420 §15.3).
	maxForward = Window

	// maxKept is how many generations back the key and nonce of a message
	// that was skipped are kept, for each ratchet (RFC 9420 §15.3).
	maxKept = Window

	// maxPending is how many proposals of one member are kept in an epoch.
	maxPending = 64

	// maxExtensions and maxCapabilities bound the entries of one extension
	// list, and of one list of capabilities.
	maxExtensions   = 64
	maxCapabilities = 256

	// maxCertificates bounds the chain of an X.509 credential.
	maxCertificates = 64

	// maxPSKs bounds the pre-shared keys of a Welcome.
	maxPSKs = 64

	// maxExport bounds what Export gives.
	maxExport = 1 << 10
)

// Window is how many generations from the latest that was opened of a ratchet
// another can be, forward or back, to be opened.
const Window = 1024

// MaxLifetime is the longest total lifetime of a leaf node that is accepted,
// in seconds (RFC 9420 §7.2 wants the application to define one): 400 days.
const MaxLifetime = 400 * 24 * 3600
