"""Starts the real servers, drives them and compares them. Knows Milvus and etcd; knows Harrier only from outside."""
