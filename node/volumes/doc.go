// Package volumes keeps what a machine knows of its own encrypted volumes outside of
// them.
//
//	List      /etc/bootseal/volumes.json: the volumes by UUID, each with its identity
//	Identity  whether a volume is the one that was enrolled, by its volume key
//	Note      /run/bootseal/UUID.json: how this boot opened a volume
//
// The list is copied into the initial ramdisk, which is measured: so that whoever swaps
// a disk, its header and its tokens included, cannot change what they are held against.
package volumes
